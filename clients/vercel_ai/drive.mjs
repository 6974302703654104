// Vercel's AI SDK: `@ai-sdk/mcp`; what its providers would post is caught before it is sent.

import { createGoogle } from "@ai-sdk/google";
import { createMCPClient, ElicitationRequestSchema } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport } from "@ai-sdk/mcp/mcp-stdio";
import { createOpenAI } from "@ai-sdk/openai";
import { driven } from "../common/driven.mjs";

class Caught extends Error {}

async function posted(provider, model, strict, name, description, inputSchema) {
  let body;
  const fetch = async (_address, request) => {
    body = JSON.parse(request.body);
    throw new Caught();
  };
  const tools = [{ type: "function", name, description, inputSchema, ...(strict ? { strict } : {}) }];
  const prompt = [{ role: "user", content: [{ type: "text", text: "?" }] }];
  try {
    await provider({ apiKey: "none", fetch })(model).doGenerate({ tools, prompt });
  } catch (error) {
    if (body === undefined) throw error;
  }
  return body.tools;
}

await driven(async (server, person) => {
  const transport = new Experimental_StdioMCPTransport(server);
  const capabilities = person.isThere ? { elicitation: {} } : {};
  // Its discovery gives up after a second, and then fails; so it is left to the step that looks at just that.
  const protocolVersionDiscovery = "TAP_WAIT_S" in server.env;
  const client = await createMCPClient({ transport, capabilities, protocolVersionDiscovery });
  if (person.isThere) {
    client.onElicitationRequest(ElicitationRequestSchema, async ({ params }) => ({
      action: "accept",
      content: await person.decides(params.message, params.requestedSchema),
    }));
  }
  const tools = await client.tools();
  const call = async (name, args) => {
    const output = await tools[name].execute(args, { toolCallId: "1", messages: [] });
    return tools[name].toModelOutput ? tools[name].toModelOutput({ toolCallId: "1", input: args, output }) : output;
  };
  return {
    names: Object.keys(tools),
    call,
    converts: {
      OpenAI: (...tool) => posted(createOpenAI, "gpt-5", false, ...tool),
      "OpenAI, strict": (...tool) => posted(createOpenAI, "gpt-5", true, ...tool),
      Gemini: (...tool) => posted(createGoogle, "gemini-2.5-pro", false, ...tool),
    },
    close: () => client.close(),
  };
});
