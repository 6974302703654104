// The official TypeScript SDK, its second version.

import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { driven } from "../common/driven.mjs";

await driven(async (server, person) => {
  const capabilities = person.isThere ? { elicitation: { form: {} } } : {};
  const client = new Client({ name: "typescript-sdk", version: "1.0.0" }, { capabilities });
  if (person.isThere) {
    client.setRequestHandler("elicitation/create", async ({ params }) => ({
      action: "accept",
      content: await person.decides(params.message, params.requestedSchema),
    }));
  }
  await client.connect(new StdioClientTransport({ ...server, stderr: "inherit" }));
  const { tools } = await client.listTools();
  return {
    names: tools.map((tool) => tool.name),
    call: (name, args) => client.callTool({ name, arguments: args }),
    close: () => client.close(),
  };
});
