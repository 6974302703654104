// LangChain.js: `@langchain/mcp-adapters`.

import { tool as asTool } from "@langchain/core/tools";
import { ChatGoogleGenerativeAI } from "@langchain/google-genai";
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { driven } from "../common/driven.mjs";

await driven(async (server) => {
  const client = new MultiServerMCPClient({ mcpServers: { fraction: { transport: "stdio", ...server } } });
  const tools = Object.fromEntries((await client.getTools()).map((tool) => [tool.name, tool]));
  const gemini = new ChatGoogleGenerativeAI({ apiKey: "none", model: "gemini-2.5-pro" });
  return {
    names: Object.keys(tools),
    call: async (name, args) => (await tools[name].invoke({ type: "tool_call", id: "1", name, args })).content,
    converts: {
      Gemini: (name, description, schema) =>
        gemini.invocationParams({ tools: [asTool(() => "", { name, description, schema })] }).tools,
    },
    close: () => client.close(),
  };
});
