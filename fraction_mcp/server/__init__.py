"""The MCP face: the server and its two transports, calls and consent. Knows MCP; what a tool means is below it."""
