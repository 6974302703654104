"""A result as text for hosts that show the model no structured content: the sentence, the facts, then CSV tables.

It holds what the structured result holds, in fewer tokens, and never as JSON. Paging facts come before the rows, so
that a host that cuts a long text cannot cut them off.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["flat", "rendered"]

_SEVERAL = 4  # rows, from which on what all of them say alike is said once


def rendered(data: Mapping[str, Any]) -> str:
    """The text of a structured result (`Answer.to_wire`)."""
    facts = {name: value for name, value in data.items() if name not in {"summary", "next", "columns", "rows"}}
    error = facts.get("error")
    if isinstance(error, dict) and error.get("hint") == data.get("next"):  # it stands at the end
        facts["error"] = {**error, "hint": ""}
    plain = {name: value for name, value in facts.items() if not isinstance(value, dict | list)}
    blocks = [str(data["summary"]), _pairs(plain)]
    blocks += [f"{name}: {_pairs(value)}" for name, value in facts.items() if isinstance(value, dict) and value]
    blocks += [f"{name}:\n{_listed(value)}" for name, value in facts.items() if isinstance(value, list) and value]
    if data.get("rows"):
        blocks.append(_csv([data["columns"], *data["rows"]]))
    blocks.append(f"Next: {data['next']}" if data.get("next") else "")
    return "\n".join(block for block in blocks if block)


def _pairs(values: Mapping[str, Any]) -> str:
    """Facts on one line. What is null or empty says nothing; what nests is spelt with dots."""
    return "; ".join(f"{name}={_fact(value)}" for name, value in flat(values).items() if value not in (None, "", []))


def _fact(value: Any) -> str:
    """A value that could be taken for several facts stands in quotes, as in CSV."""
    text = _cell(value)
    return '"' + text.replace('"', '""') + '"' if ";" in text or text.startswith('"') else text


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Facts within facts on one level, their names spelt with dots."""
    facts: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            facts |= flat(value, f"{prefix}{name}.")
        else:
            facts[prefix + name] = value
    return facts


def _listed(items: Sequence[Any]) -> str:
    if not all(isinstance(item, dict) for item in items):
        return "\n".join(_cell(item) for item in items)
    rows = [_flattened(item, items) for item in items]
    columns = [name for name in dict.fromkeys(name for row in rows for name in row) if _says_something(name, rows)]
    same = {name: rows[0][name] for name in columns if len(rows) >= _SEVERAL and _is_constant(name, rows)}
    columns = [name for name in columns if name not in same]
    once = [f"(every row: {_pairs(same)})"] if same else []
    return "\n".join([*once, _csv([columns, *([row.get(name) for name in columns] for row in rows)])])


def _flattened(item: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A row of a table. What nests becomes columns of its own where most rows have it, and else stands in one."""
    scarce = [
        name for name, value in item.items() if sum(bool(other.get(name)) for other in items) * 2 <= len(items) > 1
        and isinstance(value, dict)
    ]  # fmt: skip
    return {**flat({name: value for name, value in item.items() if name not in scarce}),
            **{name: item[name] for name in scarce}}  # fmt: skip


def _is_constant(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    return all(name in row and row[name] == rows[0][name] for row in rows)


def _says_something(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    return any(row.get(name) not in (None, "", []) for row in rows)


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    sheet = io.StringIO()
    csv.writer(sheet, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return sheet.getvalue().rstrip("\n")


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case dict():
            return " ".join(f"{name}={_cell(item)}" for name, item in flat(value).items())
        case list():
            return " | ".join(map(_cell, value))
        case _:
            return str(value)
