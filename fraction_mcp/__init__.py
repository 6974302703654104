"""fraction_mcp: the MCP server through which assistants work in FractionERP and Fracttal.

An assistant asks through `tools/`, the trade's knowledge in `operations/` decides what that means, and `erp/` is the
only part that talks to the two ERPs. `server`, `web` and `cli` are the ways in; `sandbox/` stands in for the ERPs.
A Python program uses `connect`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fraction_mcp.interface import Connected

__all__ = ["__version__", "connect"]

__version__ = "0.1.0"


def connect(*, profile: str = "", sandbox: bool = False) -> "Connected":
    """`async with fraction_mcp.connect() as erp: await erp.price("WIDGET-001", 250, customer="Acme Corp")`.

    The ERPs of the environment or a stored profile, or with `sandbox` the embedded ones. See `interface.Connected`.
    Raises errors.ConfigError where nothing is configured.
    """
    from fraction_mcp.interface import connect as connected  # noqa: PLC0415 - the server needs none of it

    return connected(profile=profile, sandbox=sandbox)
