"""Evaluations: what a user says, the world it is said in, and what must be true afterwards (docs/evals.md).

Knows the tools only as a host does, through an MCP session; expected values come from the task or from the embedded
ERPs' own data, never from a tool.
"""
