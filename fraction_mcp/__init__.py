"""fraction_mcp: the MCP server through which assistants work in FractionERP and Fracttal.

An assistant asks through `tools/`, the trade's knowledge in `operations/` decides what that means, and `erp/` is the
only part that talks to the two ERPs. `server`, `web` and `cli` are the ways in; `sandbox/` stands in for the ERPs.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
