"""What a person is asked about a write: whole sentences, the gravest first, in three lengths.

Hosts join lines, cut them, or show the first alone, so nothing here has its meaning from where a line ends, and what
must not be overlooked stands first. Everything is worked out from the write alone: a question that changed by itself
would be asked again.
"""

import re
from collections.abc import Sequence
from typing import Any

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


def whole(write: Write) -> str:
    """Everything: each warning, the title, where it goes, each line of the preview, and the assistant's note."""
    warnings = write.plan.warnings
    numbered = [
        f"Warning{f' {number} of {len(warnings)}' if len(warnings) > 1 else ''}: {_sentence(warning)}"
        for number, warning in enumerate(warnings, start=1)
    ]
    rows = [_sentence(_row(row)) for row in write.plan.preview]
    rows += [f"{in_its_own_words(write.plan.note)}."] if write.plan.note else []
    return "\n".join([*numbered, f"{write.plan.title}?", f"In {_place(write)}.", *rows])


def paragraph(write: Write) -> str | None:
    """The same in one paragraph of at most `LONGEST_PARAGRAPH` characters; None where that does not hold it all."""
    rows = "; ".join(map(_row, write.plan.preview))
    parts = [_warnings(write, write.plan.warnings), f"{write.plan.title}?", f"In {_place(write)}.", f"{rows}."]
    text = " ".join(part for part in parts if part)
    return text if len(text) <= LONGEST_PARAGRAPH else None


def for_an_address(write: Write) -> str:
    """One line beside the address of the write's page, which shows the rest. Hosts cut it after some 80 characters."""
    parts = [
        _warnings(write, write.plan.warnings[:1]),
        f"{write.plan.title}: read it, and decide, in the browser.",
        f"In {_place(write)}.",
    ]
    return " ".join(part for part in parts if part)


def _warnings(write: Write, named: Sequence[str]) -> str:
    count = len(write.plan.warnings)
    if not count:
        return ""
    return f"{'Warning' if count == 1 else f'{count} warnings'}: {_sentence('; '.join(w.rstrip('.') for w in named))}"


def _place(write: Write) -> str:
    erp = write.identity
    return f"{erp.system.label} of {_value(erp.company_name or clean(erp.base_url))}, as {_value(clean(erp.account))}"


def _row(row: Change) -> str:
    before = f"{_value(row.before)} → " if row.before is not None and row.before != row.after else ""
    return f"{row.field}: {before}{_value(row.after) if row.after is not None else '(removed)'}"


def _value(text: str) -> str:
    """In quotes that it cannot close, where it could be taken for words of ours."""
    return "“" + text.replace("“", '"').replace("”", '"') + "”" if _LOOKS_LIKE_OURS.search(text) else text


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."
