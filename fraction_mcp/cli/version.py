"""What `--version` tells: what a report of a fault needs first. Loads nothing before it is asked for."""

import argparse
from collections.abc import Sequence
from typing import Any

from fraction_mcp import __version__

__all__ = ["VersionAction", "version_lines"]


def version_lines() -> list[str]:
    """This package's version first, then the SDK's, the protocol's and Python's."""
    import platform  # noqa: PLC0415 - see the module's docstring
    from importlib import metadata  # noqa: PLC0415

    from mcp.types.version import SUPPORTED_PROTOCOL_VERSIONS  # noqa: PLC0415

    return [
        f"fraction-mcp {__version__}",
        f"MCP SDK {metadata.version('mcp')}",
        f"MCP protocol {', '.join(SUPPORTED_PROTOCOL_VERSIONS)}",
        f"Python {platform.python_version()} on {platform.system()}",
    ]


class VersionAction(argparse.Action):
    """`--version`: prints the lines and ends."""

    def __init__(self, option_strings: Sequence[str], dest: str, **_given: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, help="the versions of this program, the SDK and the protocol")

    def __call__(self, parser: argparse.ArgumentParser, *_given: Any) -> None:
        print("\n".join(version_lines()))
        parser.exit()
