"""The official conformance suite of MCP, driven against this server."""
