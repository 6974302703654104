"""The approval inbox: pages on this machine's loopback where a person sees what waits, and decides.

Knows HTML, cookies and browsers. Refuses to know MCP, HTTP clients and databases: what a decision does is the write
service's.
"""

from fraction_mcp.approvals.serving import serve_for_servers, serve_inbox

__all__ = ["serve_for_servers", "serve_inbox"]
