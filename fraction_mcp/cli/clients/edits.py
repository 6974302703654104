"""Replacements in a text, and how they are shown.

Knows nothing of formats. What a replacement does not touch is never shown but for brackets and commas: a person's
file may hold other servers' tokens, on the very line that changes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Edit", "TextError", "applied", "difference"]

_PLAIN = re.compile(r"[\s{}\[\],]*")


class TextError(ValueError):
    """A text that cannot be read or changed, in a sentence with the line where there is one."""


@dataclass(frozen=True)
class Edit:
    """A replacement of text[start:end]. `hidden` are ranges of the text that stay unsaid where it is shown."""

    start: int
    end: int
    text: str
    hidden: tuple[tuple[int, int], ...] = ()


def applied(text: str, edits: Sequence[Edit]) -> str:
    """The text after edits that do not overlap; those at one place in their order."""
    pieces, at = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        pieces += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*pieces, text[at:]])


def difference(text: str, edits: Sequence[Edit]) -> list[str]:
    """The lines that edits take out and put in, each behind `- ` or `+ `."""
    diff_lines = []
    for group in _on_same_lines(text, sorted(edits, key=lambda edit: edit.start)):
        first, last = _line_start(text, group[0].start), _line_end(text, max(edit.end for edit in group))
        old: list[tuple[str, bool]] = []
        new: list[tuple[str, bool]] = []
        at = first
        for edit in group:
            for side in (old, new):
                side.append((text[at : edit.start], False))
            old += _partly(text, edit)
            new.append((edit.text, True))
            at = edit.end
        for side in (old, new):
            side.append((text[at:last], False))
        diff_lines += _trimmed(list(_lines(old)), list(_lines(new)))
    return diff_lines


def _on_same_lines(text: str, edits: Sequence[Edit]) -> Iterator[list[Edit]]:
    group: list[Edit] = []
    for edit in edits:
        if group and _line_start(text, edit.start) >= _line_end(text, group[-1].end):
            yield group
            group = []
        group.append(edit)
    if group:
        yield group


def _partly(text: str, edit: Edit) -> Iterator[tuple[str, bool]]:
    at = edit.start
    for start, end in edit.hidden:
        yield text[at:start], True
        yield text[start:end], False
        at = end
    yield text[at : edit.end], True


def _lines(pieces: Iterable[tuple[str, bool]]) -> Iterator[tuple[str, str]]:
    """Each line as it is and as it is shown."""
    real, shown = "", ""
    for piece, open_to_all in pieces:
        for part in piece.splitlines(keepends=True):
            bare = part.rstrip("\r\n")
            real += bare
            shown += bare if open_to_all or _PLAIN.fullmatch(bare) else bare[: len(bare) - len(bare.lstrip())] + "…"
            if bare != part:
                yield real, shown
                real, shown = "", ""
    if real:
        yield real, shown


def _trimmed(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> list[str]:
    """Without the lines at both ends that are the same."""
    while old and new and old[0][0] == new[0][0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1][0] == new[-1][0]:
        old, new = old[:-1], new[:-1]
    return [f"- {shown}" for _, shown in old] + [f"+ {shown}" for _, shown in new]


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1
