"""What a person is asked about writes: whole sentences, the gravest first, in three lengths.

Hosts join lines, cut them, or show the first alone, so nothing here has its meaning from where a line ends, and what
must not be overlooked stands first. Everything is worked out from the write alone: a question that changed by itself
would be asked again.
"""

import re
from collections.abc import Sequence
from typing import Any

from fraction_mcp.config import is_embedded
from fraction_mcp.operations.writes.batch import gravest_first
from fraction_mcp.operations.writes.plan import Change
from fraction_mcp.operations.writes.wording import in_its_own_words
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.values.text import clean

__all__ = ["LONGEST_PARAGRAPH", "choice_form", "for_an_address", "paragraph", "whole"]

LONGEST_PARAGRAPH = 240
"""What every host that was seen shows of a form, in characters, with whatever it adds."""

_TITLES_SINCE = "2025-11-25"
_CHOICES = (("decline", "Do not write it"), ("approve", "Write exactly this"))  # hosts were seen to select the first
# What would read as a sentence or a field of ours, once lines are joined.
_LOOKS_LIKE_OURS = re.compile(r"[.:;?!…]\s|[“”→]")


def choice_form(protocol_version: str) -> dict[str, Any]:
    """The schema of the form: one required choice without a default, titled as the client's protocol knows it."""
    choice: dict[str, Any] = {"type": "string", "title": "Your decision"}
    if protocol_version >= _TITLES_SINCE:
        choice["oneOf"] = [{"const": value, "title": title} for value, title in _CHOICES]
    else:
        choice |= {"enum": [value for value, _ in _CHOICES], "enumNames": [title for _, title in _CHOICES]}
    return {"type": "object", "properties": {"decision": choice}, "required": ["decision"]}


def whole(writes: Sequence[Write]) -> str:
    """Everything: each warning, then for each write the title, where it goes, each line of the preview, and the
    assistant's note."""
    warnings = _all_warnings(writes)
    numbered = [
        f"Warning{f' {number} of {len(warnings)}' if len(warnings) > 1 else ''}: {_sentence(warning)}"
        for number, warning in enumerate(warnings, start=1)
    ]
    lines = [f"{len(writes)} writes, approved or declined together?"] if len(writes) > 1 else []
    for number, write in enumerate(writes, start=1):
        rows = [_sentence(_row(row)) for row in write.plan.preview]
        rows += [f"{in_its_own_words(write.plan.note)}."] if write.plan.note else []
        lines += [f"{_title(writes, number)}?", f"In {_place(write)}.", *rows]
    return "\n".join([*numbered, *lines])


def paragraph(writes: Sequence[Write]) -> str | None:
    """The same in one paragraph of at most `LONGEST_PARAGRAPH` characters; None where that does not hold it all."""
    text = f"{_warnings(_all_warnings(writes))} {len(writes)} writes, approved or declined together?".lstrip()
    parts = [text] if len(writes) > 1 else [_warnings(_all_warnings(writes))]
    for number, write in enumerate(writes, start=1):
        rows = "; ".join(map(_row, write.plan.preview))
        parts += [f"{_title(writes, number)}?", f"In {_place(write)}.", f"{rows}."]
    text = " ".join(part for part in parts if part)
    return text if len(text) <= LONGEST_PARAGRAPH else None


def for_an_address(writes: Sequence[Write]) -> str:
    """One line beside the address of the writes' page, which shows the rest. Hosts cut it after some 80 characters."""
    warnings, places = _all_warnings(writes), dict.fromkeys(_place(write) for write in writes)
    what = writes[0].plan.title if len(writes) == 1 else f"{len(writes)} writes, approved or declined together"
    parts = [
        _warnings(warnings[:1], len(warnings)),
        f"{what}: read {'it' if len(writes) == 1 else 'them'}, and decide, in the browser.",
        *(f"In {place}." for place in places),
    ]
    return " ".join(part for part in parts if part)


def _title(writes: Sequence[Write], number: int) -> str:
    title = writes[number - 1].plan.title
    return f"{number} of {len(writes)}: {title}" if len(writes) > 1 else title


def _all_warnings(writes: Sequence[Write]) -> list[str]:
    return [f"Write {number}: {warning}" if number else warning for number, warning in gravest_first(writes)]


def _warnings(named: Sequence[str], count: int | None = None) -> str:
    count = len(named) if count is None else count
    if not count:
        return ""
    return f"{'Warning' if count == 1 else f'{count} warnings'}: {_sentence('; '.join(w.rstrip('.') for w in named))}"


def _place(write: Write) -> str:
    erp = write.identity
    badge = "SANDBOX, " if is_embedded(erp.base_url) else ""
    place = f"{erp.system.label} of {_value(erp.company_name or clean(erp.base_url))}"
    return f"{badge}{place}, as {_value(clean(erp.account))}"


def _row(row: Change) -> str:
    before = f"{_value(row.before)} → " if row.before is not None and row.before != row.after else ""
    return f"{row.field}: {before}{_value(row.after) if row.after is not None else '(removed)'}"


def _value(text: str) -> str:
    """In quotes that it cannot close, where it could be taken for words of ours."""
    return "“" + text.replace("“", '"').replace("”", '"') + "”" if _LOOKS_LIKE_OURS.search(text) else text


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."
