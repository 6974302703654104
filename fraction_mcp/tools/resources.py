"""Resources: what can be read by an address, each the result of one tool, and the page that says what the ERPs can do.

An address is offered where its tool is. Which one a URI means, and how it is spelt on the wire, is `server`'s.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from fraction_mcp.erp.endpoints import KINDS, NAMED, Endpoint, Paging, Source, System
from fraction_mcp.operations.candidates import CUSTOMER, PART, Subject
from fraction_mcp.tools.spec import ToolSpec

__all__ = ["API_REFERENCE", "RESOURCES", "Address", "api_reference", "offered_resources", "subject_of"]


@dataclass(frozen=True)
class Address:
    """One resource, or a family of them: `uri` is a URI template (RFC 6570) whose variables are arguments of `tool`,
    by the names in `arguments` where they are called otherwise there."""

    uri: str
    name: str
    title: str
    description: str
    tool: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_template(self) -> bool:
        return "{" in self.uri


API_REFERENCE = "fraction://api-reference"
RESOURCES = (
    Address(API_REFERENCE, "api-reference", "What the ERPs can do", "Every endpoint of the ERPs that are configured."),
    Address(
        "fraction://writes", "writes", "Writes", "What waits for a person, and the latest writes.", "get_write_status"
    ),
    Address(
        "fraction://writes/{id}",
        "write",
        "A write",
        "Where a write stands, by its id.",
        "get_write_status",
        {"id": "write_id"},
    ),
    Address(
        "fraction://parts/{part_number}",
        "part",
        "A part",
        "A part with its price lists, by its number or id.",
        "get_part",
        {"part_number": "part"},
    ),
    Address(
        "fraction://customers/{id}",
        "customer",
        "A customer",
        "A customer with its contacts, by its id or name.",
        "get_customer",
        {"id": "customer"},
    ),
    Address(
        "fraction://{kind}/{id}",
        "record",
        "A record",
        "A record by its id or number; kind is as in `list_records`.",
        "get_record",
    ),
)
"""In this order a URI is held against them: the last fits all that the others fit."""


def offered_resources(tools: Collection[str]) -> list[Address]:
    """The addresses that a server with these tools can answer."""
    return [each for each in RESOURCES if not each.tool or each.tool in tools]


def subject_of(address: Address, variable: str, filled_in: Mapping[str, str]) -> Subject | Sequence[str] | None:
    """What a variable of an address is completed from: names and numbers in the ERP, or these words."""
    if variable == "kind":
        return list(KINDS)
    by_tool = {"get_part": PART, "get_customer": CUSTOMER}
    by_kind = {"parts": PART, "customers": CUSTOMER}
    return by_tool.get(address.tool) or by_kind.get(filled_in.get("kind", ""))


# ------------------------------------------------------------------------------------------------- what the ERPs can do

_PAGING = {
    Paging.NONE: "",
    Paging.ALL: "all at once",
    Paging.PAGE: "page, per_page ≤ 100, search, sort, order",
    Paging.START: "start, limit ≤ 100",
}
_SOURCE = {Source.SEED: "its own document", Source.PUBLIC: "its public pages"}


def api_reference(tools: Mapping[str, ToolSpec]) -> str:
    """Markdown: the endpoints of the ERPs that these tools work in, which tool calls each, and who states it."""
    there = {system for spec in tools.values() for system in spec.systems}
    blocks = ["# What the ERPs can do", _INTRODUCTION]
    for system in (candidate for candidate in System if candidate in there):
        rows = [
            _row(endpoint, tools)
            for endpoint in NAMED.values()
            if endpoint.system is system and (endpoint.writes or endpoint.method == "GET")
        ]
        head = "| method and path | what it does | query | tools | stated by |\n| --- | --- | --- | --- | --- |"
        blocks += [f"## {system.label}", "\n".join([head, *rows])]
        if system is System.FRACTIONERP:
            blocks += ["## Kinds of record", "\n".join(_kinds())]
    return "\n\n".join(blocks) + "\n"


_INTRODUCTION = (
    "All that the ERPs' documents state, signing in aside. Nothing else can be done through them: no deleting, no "
    "changing of customers, contacts or orders. A row without a tool is read beside a write, or for the status."
)


def _row(endpoint: Endpoint, tools: Mapping[str, ToolSpec]) -> str:
    callers = ", ".join(name for name, spec in tools.items() if endpoint in spec.calls)
    cells = (f"{endpoint.method} {endpoint.path}", endpoint.name, _PAGING[endpoint.paging], callers)
    return f"| {' | '.join(cells)} | {_SOURCE[endpoint.source]} |"


def _kinds() -> list[str]:
    """A line a kind: describe_records tells the fields that no document states."""
    return [
        f"- {name}: {', '.join(kind.documented)}"
        + (f"; called by its {kind.number_field}" if kind.number_field else "")
        for name, kind in KINDS.items()
    ] + ["", "Other fields of theirs are not documented: describe_records names those that records were seen to have."]
