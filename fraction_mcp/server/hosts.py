"""What the programs that people use show of a question: the one table, each line with its evidence and its version.

A host is known by the name that it gives itself, which proves nothing: whoever lies there lies to its own person. The
table holds only what changes how a client is asked; docs/hosts.md has the rest. A host that is not in it shows who
knows what, and is asked with care.
"""

from dataclasses import dataclass
from enum import Enum

__all__ = ["HOSTS", "UNKNOWN", "Host", "Shows", "host_named"]


class Shows(Enum):
    """How much of a form's message a person sees before they answer."""

    WHOLE = "whole"
    LINES = "lines"  # a few, cut where the window ends: no form is short enough for every window
    UNKNOWN = "unknown"  # or whole where the window is high enough


@dataclass(frozen=True, slots=True)
class Host:
    """One host. `answers_addresses` says that it answers those by itself, though it declares them."""

    name: str
    shows: Shows
    seen: str
    answers_addresses: bool = False


HOSTS = (
    Host("fraction-mcp", Shows.WHOLE, "this program's own client (cli/call.py): every line, spelt out"),
    Host("inspector-cli", Shows.WHOLE, "mcpdo of the Inspector 2.12.0, seen: the whole form, as JSON or as text"),
    Host(
        "claude-code",
        Shows.LINES,
        "2.1.329 and 2.1.330, seen: three lines of the window's width (some 230 characters at 110 columns), then "
        "'… (+4 more lines)', which nothing unfolds; of an address one line, cut there, and the whole address",
    ),
    Host(
        "codex-mcp-client",
        Shows.UNKNOWN,
        "0.169.0, seen: a form is whole where the window is high enough, and cut without a sign where it is not; an "
        "address is declined within 0.01 s, unseen, though declared",
        answers_addresses=True,
    ),
)
UNKNOWN = Host("", Shows.UNKNOWN, "not seen")


def host_named(name: str) -> Host:
    """The host that calls itself so; `UNKNOWN` for one that is not in the table."""
    return next((host for host in HOSTS if host.name == name), UNKNOWN)
