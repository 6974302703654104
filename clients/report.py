"""How a run is told: a few lines on the terminal, and docs/clients.md, written by the run and by nobody else."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from clients.running import Ran, Told
from clients.schemas import PROBES, Conversion

DOCUMENT = Path(__file__).parents[1] / "docs" / "clients.md"
COLUMNS = ("lists", "prices", "quotes", "refused")


def on_terminal(ran: Ran) -> str:
    """What each step came to, and which conversions of schemas fail."""
    if ran.trouble:
        return f"{ran.client.name}: {ran.trouble}"
    lines = [f"{ran.client.title} {ran.client.version}"]
    for name, told in ran.steps.items():
        expected = "" if told.ok or name not in ran.client.expected else " (expected)"
        lines.append(f"  {name:<16} {'ok ' if told.ok else 'NO '} {told.said}{expected}")
    lines += [
        f"  schemas for {one.by}: fails on {_failures(one.failed)}; drops {_losses(one)}"
        for one in ran.conversions
        if one.failed or one.dropped
    ]
    return "\n".join(lines)


def write(all_ran: list[Ran], version: str) -> None:
    """docs/clients.md anew."""
    parts = [_head(version), _what_each_does(all_ran), _what_each_says(all_ran), _schemas(all_ran), _keywords(all_ran)]
    DOCUMENT.write_text(_paragraphs(*parts) + "\n", encoding="utf-8")


def _head(version: str) -> str:
    today = datetime.now(UTC).date().isoformat()
    return _paragraphs(
        "# Clients",
        "Real clients, each at a pinned version in an environment of its own, connected over stdio to "
        "`fraction-mcp serve --sandbox` and driven without a model. What stands here was seen on "
        f"{today} with fraction-mcp {version} by `make clients`, which writes this file; [clients](../clients) says "
        "how.",
    )


def _what_each_does(all_ran: list[Ran]) -> str:
    notes = _Notes()
    head = [
        "Client",
        "Version",
        "Lists",
        "Prices",
        "Quotes",
        "Refused",
        "Optional arguments",
        "Write through the inbox",
    ]
    rows = []
    for ran in all_ran:
        client = ran.client
        rest = [client.shows, client.set, client.notes]
        if ran.trouble:
            rows.append([client.title, client.version, f"not run: {ran.trouble}", *[""] * 5, *rest])
            continue
        cells = [_cell(ran, name, notes) for name in COLUMNS]
        refused = f"{cells[-1]}, {_cell(ran, 'in our words', notes).replace('no [', 'its words [')}"
        given = [f"{label}: {_cell(ran, name, notes)}" for label, name in _GIVEN.items()]
        write = _cell(ran, "write", notes)
        rows.append([client.title, client.version, *cells[:-1], refused, "; ".join(given), write, *rest])
    table = _table([*head, "What it shows a person", "What to set", "Notes"], rows)
    return _paragraphs(
        "## What each does",
        "It lists the tools; prices 250 of WIDGET-001 for Acme Corp; quotes three lines; is refused (a negative "
        "quantity, a decimal comma, an ambiguous customer) and goes on; leaves optional arguments out, gives them as "
        "null, and gives every argument as strict modes do; and creates an enquiry, which waits until a person "
        "approves it in a terminal, and is then done, once.",
        table,
        notes.told(),
    )


_GIVEN = {"left out": "left out", "null": "null", "every one": "every argument"}


def _what_each_says(all_ran: list[Ran]) -> str:
    notes = _Notes()
    rows = []
    for ran in all_ran:
        if ran.trouble:
            continue
        opening = ran.with_forms or ran.opening
        info = opening["client"]
        form = ran.steps.get("form")
        rows.append([
            ran.client.title,
            f"`{info.get('name', '')}` {info.get('version', '')}",
            opening["era"],
            _declared(opening["capabilities"]),
            "none" if form is None else _cell(ran, "form", notes),
            ran.hands,
            ran.steps["unknown"].said,
            ran.servers,
            _cell(ran, "slow start", notes),
        ])  # fmt: skip
    head = [
        "Client",
        "`clientInfo`",
        "Era",
        "Declares",
        "Form",
        "Hands its model",
        "Unknown argument",
        "Servers",
        "Slow start",
    ]
    return _paragraphs(
        "## What each says and sends",
        "Declares: what it says it can answer when its program has given it a handler for forms; without one, "
        "frameworks do not declare `elicitation`. Form: what that handler is given of the question. Hands its "
        "model: the text of a result, its structured copy, or both. Unknown argument: whether it is refused, or "
        "dropped unsaid. Servers: whether a connection is kept, or a server is started for each call. Slow start: "
        "whether it connects to a server that comes up three seconds late.",
        _table(head, rows),
        notes.told(),
    )


def _schemas(all_ran: list[Ran]) -> str:
    rows = [
        [str(number), ran.client.title, one.by, _failures(one.failed), _losses(one)]
        for number, ran, one in _conversions(all_ran)
    ]
    return _paragraphs(
        "## Our input schemas, as each framework converts them",
        _table(["No.", "Client", "For", "Tools it fails on", "What it drops"], rows),
    )


def _keywords(all_ran: list[Ran]) -> str:
    rows = []
    for probe in PROBES:
        failing = [str(number) for number, _, one in _conversions(all_ran) if probe in one.probes_failed]
        dropping = [str(number) for number, _, one in _conversions(all_ran) if probe in one.probes_dropped]
        if failing or dropping:
            rows.append([f"`{probe}`", ", ".join(failing) or "none", ", ".join(dropping) or "none"])
    return _paragraphs(
        "## Keywords of JSON Schema to avoid",
        "A tool with one argument of each kind, given to every conversion above, by its number there. What is dropped "
        "is not said to the model, and so must stand in the description where it matters.",
        _table(["Keyword", "Fails in", "Dropped or rewritten by"], rows),
    )


def _conversions(all_ran: list[Ran]) -> Iterator[tuple[int, Ran, Conversion]]:
    """Every conversion of every client, numbered."""
    number = 0
    for ran in all_ran:
        for one in ran.conversions:
            number += 1
            yield number, ran, one


def _failures(failed: dict[str, str]) -> str:
    if not failed:
        return "none"
    name, reason = next(iter(failed.items()))
    return f"{len(failed)}, such as `{name}`: {reason}"


def _losses(one: Conversion) -> str:
    """Which arguments are lost, by the list or object they stand in."""
    lost: dict[str, set[str]] = {}
    for paths in one.dropped.values():
        for path in paths.split(", "):
            argument, _, what = path.partition(": ")
            parent, dot, _ = argument.rpartition(".")
            if what:
                lost.setdefault(_SAID[what], set()).add(argument)
            elif dot:
                lost.setdefault("the shape", set()).add(parent)
            else:
                lost.setdefault("arguments", set()).add(argument)
    gone = lost.get("the shape", set())
    told = []
    for what, arguments in lost.items():
        named = sorted(name for name in arguments if what == "the shape" or name.rpartition(".")[0] not in gone)
        if named:
            told.append(f"{what} of {', '.join(f'`{name}`' for name in named[:6])}{' …' if len(named) > 6 else ''}")
    return "; ".join(told) or "nothing"


_SAID = {"description": "the descriptions", "enum": "the choices"}


def _declared(capabilities: dict[str, object]) -> str:
    told = []
    for name, value in capabilities.items():
        inner = ", ".join(value) if isinstance(value, dict) and name == "elicitation" else ""
        told.append(f"{name} ({inner})" if inner else name)
    return ", ".join(told) or "nothing"


class _Notes:
    """The reasons of what fails as expected, each numbered once."""

    def __init__(self) -> None:
        self._reasons: list[str] = []

    def number(self, reason: str) -> int:
        if reason not in self._reasons:
            self._reasons.append(reason)
        return self._reasons.index(reason) + 1

    def told(self) -> str:
        return "\n".join(f"{number}. {reason}" for number, reason in enumerate(self._reasons, 1))


def _cell(ran: Ran, step: str, notes: _Notes) -> str:
    told = ran.steps.get(step, Told(ok=None, said="not tried"))
    if told.ok is not False:
        return told.said
    reason = ran.client.expected.get(step)
    return f"no [{notes.number(reason)}]" if reason else f"**no: {told.said}**"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _plain(cell: str) -> str:
    """As a cell of a table, without a path of the machine that it was seen on."""
    for path, name in ((sys.executable, "python"), (str(Path(__file__).parents[1]), "…")):
        cell = cell.replace(path, name)
    return cell.replace("|", "\\|").replace("\n", " ")
