// The OpenAI Agents SDK for JavaScript: `MCPServerStdio`, its tools as an agent has them.

import { Agent, getAllMcpTools, MCPServerStdio, RunContext } from "@openai/agents";
import { driven } from "../common/driven.mjs";

await driven(async (server) => {
  const stdio = new MCPServerStdio({ ...server, timeout: 60000 });
  await stdio.connect();
  const agent = new Agent({ name: "buyer", mcpServers: [stdio] });
  const runContext = new RunContext({});
  const asked = { mcpServers: [stdio], runContext, agent, convertSchemasToStrict: false };
  const tools = Object.fromEntries((await getAllMcpTools(asked)).map((tool) => [tool.name, tool]));
  return {
    names: Object.keys(tools),
    call: (name, args) => tools[name].invoke(runContext, JSON.stringify(args)),
    close: () => stdio.close(),
  };
});
