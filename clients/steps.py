"""What every client goes through, in this order, and what must come of it.

A step returns what the table says of it, or raises `Failed`. It looks at what the framework's model would see, at what
went over the wire, and at what the ERP holds afterwards; never at a framework's insides.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients import person
from clients.conversation import Answer, Conversation, Wire

__all__ = ["STEPS", "Failed", "Talk"]

WRITE_ID = re.compile(r"\bw[0-9a-f]{12}\b")
AT_LEAST = 15  # tools that the sandbox's server lists


class Failed(Exception):
    """What was to be seen was not."""


@dataclass
class Talk:
    """One client in conversation with one server's state. `fills`: it gives every argument, wanted or not."""

    name: str
    conversation: Conversation
    wire: Wire
    state: Path
    fills: bool = False

    def price(self, **arguments: Any) -> Answer:
        return self.call("get_price_for_quantity", **arguments)

    def call(self, tool: str, **arguments: Any) -> Answer:
        return self.conversation.call(tool, **(self.filled(tool, arguments) if self.fills else arguments))

    def filled(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Every argument, as models fill them in strict modes: text empty, lists empty, the first of an enum."""
        schema = next(one["inputSchema"] for one in self.wire.tools() if one["name"] == tool)
        return {**{name: empty(one) for name, one in schema["properties"].items()}, **arguments}


def empty(schema: dict[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    return {"array": [], "integer": 1, "number": 1, "boolean": False, "object": {}}.get(schema.get("type", ""), "")


def lists(talk: Talk) -> str:
    """Every tool that the server lists is the client's, and none besides."""
    served = [tool["name"] for tool in talk.wire.tools()]
    if sorted(served) != sorted(talk.conversation.names) or len(served) < AT_LEAST:
        raise Failed(f"{len(talk.conversation.names)} of {len(served)} tools")
    return str(len(served))


def prices(talk: Talk) -> str:
    answer = talk.price(part="WIDGET-001", quantity=250, customer="Acme Corp")
    return seen(answer, "2500.00", "10.00", says="2500.00")


def quotes(talk: Talk) -> str:
    lines = [
        {"part": "WIDGET-001", "quantity": 250},
        {"part": "BRKT-1", "quantity": 250},
        {"part": "WIDGET-001", "quantity": 500},
    ]
    return seen(talk.call("price_order_lines", customer="Acme Corp", lines=lines), "8367.81", says="8367.81")


def refused(talk: Talk) -> str:
    """A bad argument and an ambiguous customer are told as such, and the connection goes on."""
    bad = talk.price(part="WIDGET-001", quantity=-2, customer="Acme Corp")
    if not bad.all or "2500.00" in bad.all:
        raise Failed(f"a negative quantity came out as: {short(bad.all)}")
    seen(talk.price(part="WIDGET-001", quantity=250, customer="Acme"), "come near", "Acme Castings")
    comma = talk.price(part="WIDGET-001", quantity="2,50", customer="Acme Corp")
    if not comma.all or "priced" in comma.saw:
        raise Failed(f"a decimal comma came out as: {short(comma.all)}")
    prices(talk)
    return "yes"


def in_our_words(talk: Talk) -> str:
    """The refusal that arrives is the server's own, which names the argument and its bound."""
    bad = talk.price(part="WIDGET-001", quantity=-2, customer="Acme Corp")
    if "must be greater than 0, not -2" not in bad.all:
        raise Failed(f"its own words: {short(bad.all)}")
    return "our words"


def left_out(talk: Talk) -> str:
    """An optional argument that the model leaves out; the wire tells what became of it."""
    answer = talk.conversation.call("get_price_for_quantity", part="WIDGET-001", quantity=250)
    sent = talk.wire.sent("get_price_for_quantity") or {}
    what = "not sent" if "customer" not in sent else f"sent as {sent['customer'] or 'null'}"
    seen(answer, "2500.00")
    return what


def null(talk: Talk) -> str:
    """null for every optional argument, at any depth, means that it is not given."""
    seen(talk.price(part="WIDGET-001", quantity=250, customer=None), "2500.00")
    condition = {"field": "part_number", "op": "=", "value": "WIDGET-001", "values": None}
    nothing = dict.fromkeys(("limit", "page", "sort", "order", "search", "fields"))
    seen(talk.call("list_records", kind="parts", filters=[condition], **nothing), "Custom widget")
    return "taken"


def every_argument(talk: Talk) -> str:
    """A model in a strict mode gives every argument, also each enum: a width without a date field is no grouping."""
    given = talk.filled("summarise_records", {"kind": "parts"})
    seen(talk.conversation.call("summarise_records", **given), "600")
    return "taken"


def unknown(talk: Talk) -> str:
    """An argument that the tool does not have; whatever happens is only told."""
    answer = talk.price(part="WIDGET-001", quantity=250, customer="Acme Corp", discount="50 %")
    sent = talk.wire.sent("get_price_for_quantity") or {}
    return "dropped" if "2500.00" in answer.saw and "discount" not in sent else "refused"


def write(talk: Talk) -> str:
    """It waits; a person approves it in a terminal; it is done, once."""
    reference = f"CLIENTS-{talk.name.upper().replace('_', '-')}"
    waits = talk.call("create_enquiry", customer="Acme Corp", customer_ref=reference)
    seen(waits, "awaiting_approval")
    found = WRITE_ID.search(waits.saw)
    if found is None:
        raise Failed("no write id arrived")
    if person.enquiries(talk.state, reference):
        raise Failed("it was written before anybody approved it")
    person.approves(talk.state, found[0])
    seen(talk.call("get_write_status", write_id=found[0]), "done", "Q1")
    if (count := person.enquiries(talk.state, reference)) != 1:
        raise Failed(f"the ERP holds it {count} times")
    return "done"


def form(talk: Talk) -> str:
    """Where the framework hands a form to its program: what arrives is whole, and an explicit yes counts."""
    reference = f"FORM-{talk.name.upper().replace('_', '-')}"
    answer = talk.call("create_enquiry", customer="Acme Corp", customer_ref=reference)
    if not answer.shown:
        raise Failed(f"no form came: {short(answer.all)}")
    question = answer.shown[-1]["message"]
    missing = [word for word in ("Acme Corp", "Harrow & Pike", reference) if word not in question]
    if missing:
        raise Failed(f"the form lacks {', '.join(missing)}")
    seen(answer, "done")
    if person.enquiries(talk.state, reference) != 1:
        raise Failed("the ERP does not hold it")
    return "whole"


def hands(answer: Answer) -> str:
    """Which of a result's two renderings a framework gives its model."""
    text, structured = "status=priced" in answer.saw, re.search(r"line_total\\*[\"']:", answer.saw)
    return "both" if text and structured else "text" if text else "structured" if structured else "neither"


def seen(answer: Answer, *words: str, says: str = "yes") -> str:
    """Raises Failed where a word is missing in what the model sees."""
    missing = [word for word in words if word not in answer.saw]
    if missing:
        raise Failed(short(answer.all or "nothing"))
    return says


def short(text: str) -> str:
    """The beginning of what was said, in one line."""
    line = " ".join(text.split())
    told = re.search(r"[A-Z_]{6,}: .*", line)
    line = told[0] if told else line
    return line if len(line) <= 160 else f"{line[:157]}..."


STEPS: dict[str, Callable[[Talk], str]] = {
    "lists": lists,
    "prices": prices,
    "quotes": quotes,
    "refused": refused,
    "in our words": in_our_words,
    "left out": left_out,
    "null": null,
    "every argument": every_argument,
    "unknown": unknown,
    "write": write,
}
