// Mastra: `@mastra/mcp`, and the layers that fit schemas to each provider.

import { MCPClient } from "@mastra/mcp";
import {
  AnthropicSchemaCompatLayer,
  applyCompatLayer,
  GoogleSchemaCompatLayer,
  OpenAIReasoningSchemaCompatLayer,
  OpenAISchemaCompatLayer,
} from "@mastra/schema-compat";
import { driven } from "../common/driven.mjs";

const layers = {
  Anthropic: [AnthropicSchemaCompatLayer, "anthropic", "claude-sonnet-4-5"],
  Gemini: [GoogleSchemaCompatLayer, "google", "gemini-2.5-pro"],
  OpenAI: [OpenAISchemaCompatLayer, "openai", "gpt-4.1"],
  "OpenAI, reasoning": [OpenAIReasoningSchemaCompatLayer, "openai", "gpt-5"],
};

function fitted([Layer, provider, modelId], schema) {
  const model = { provider, modelId, supportsStructuredOutputs: true };
  return applyCompatLayer({ schema, compatLayers: [new Layer(model)], mode: "jsonSchema" });
}

await driven(async (server, person) => {
  const inputRequests = async ({ params }) => ({
    action: "accept",
    content: await person.decides(params.message, params.requestedSchema),
  });
  const mcp = new MCPClient({
    servers: { fraction: { ...server, stderr: "inherit", ...(person.isThere ? { inputRequests } : {}) } },
  });
  const tools = Object.fromEntries(
    Object.entries(await mcp.listTools()).map(([name, tool]) => [name.replace(/^fraction_/, ""), tool]),
  );
  return {
    names: Object.keys(tools),
    call: (name, args) => tools[name].execute(args, {}),
    converts: Object.fromEntries(
      Object.entries(layers).map(([name, layer]) => [name, (_name, _description, schema) => fitted(layer, schema)]),
    ),
    close: () => mcp.disconnect(),
  };
});
