// The official TypeScript SDK, its first version, which most of the Node.js hosts have.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { driven } from "../common/driven.mjs";

await driven(async (server, person) => {
  const capabilities = person.isThere ? { elicitation: {} } : {};
  const client = new Client({ name: "typescript-sdk-v1", version: "1.0.0" }, { capabilities });
  if (person.isThere) {
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => ({
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
