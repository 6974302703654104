"""Exact changes of one table in a TOML text: every other line keeps every byte.

Reads with the standard library and finds places with a scanner of its own that knows statements, strings, brackets and
comments and nothing more; whoever changes a text reads the result again and compares. A table is added at the text's
end, where TOML takes one whatever stands above. What is written another way (a table in one line) is read, and taken
out, but not changed.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fraction_mcp.cli.clients.edits import Edit, TextError

__all__ = ["TomlText"]

_PIECE = re.compile(  # texts of each of TOML's four kinds, a comment, an end of line, any other character
    r"""
    \"{3} (?: [^"\\] | \\. | "{1,2}(?!") )* "{3,5} | '{3} (?: [^'] | '{1,2}(?!') )* '{3,5}
    | " (?: [^"\\\n] | \\. )* " | ' [^'\n]* ' | \# [^\n]* | \n | .
    """,
    re.S | re.X,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
Path = tuple[str, ...]


@dataclass(frozen=True)
class _Statement:
    """A header or a pair, from its first character to the end of its value; `path` from the root."""

    start: int
    end: int
    path: Path
    header: bool
    value: int = 0  # where a pair's value begins


class TomlText:
    """A document that was read, and edits that would change it. Raises TextError for a text that is not TOML."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self.value: dict[str, Any] = tomllib.loads(text, parse_float=str)  # compared only: 1.0 is not 1.00
        except tomllib.TOMLDecodeError as error:
            raise TextError(str(error)) from None
        except RecursionError:
            raise TextError("it is nested too deeply") from None
        self._statements = list(_statements(text))

    def added(self, path: Path, value: Mapping[str, Any]) -> list[Edit]:
        """Edits that put a table at the end. Raises TextError where one of its parents is written in one line."""
        for statement in self._statements:
            if not statement.header and statement.path == path[: len(statement.path)]:
                raise TextError(f"{'.'.join(statement.path)} is written in one line, which is not taken apart here")
        newline = self._newline
        lines = [f"[{'.'.join(_key(key) for key in path)}]", *(f"{key} = {_toml(each)}" for key, each in value.items())]
        end = len(self.text)
        lead = "" if not self.text.strip() else newline if self.text.endswith("\n") else newline * 2
        return [Edit(end, end, lead + newline.join(lines) + newline)]

    def removed(self, path: Path, shown: Sequence[str]) -> list[Edit]:
        """Edits that take out whatever makes up a table; what it holds beside `shown` stays unsaid."""
        edits: list[Edit] = []
        for number, statement in enumerate(self._statements):
            if statement.path[: len(path)] != path:
                continue
            secret = not statement.header and statement.path[len(path) :] not in {(key,) for key in shown}
            inside = ((statement.value, statement.end),) if secret else ()
            start, end = self._whole_lines(statement)
            previous = self._statements[number - 1] if number else None
            joined = edits and previous is not None and edits[-1].end > previous.start
            if joined and not self.text[edits[-1].end : start].strip():
                edits[-1] = Edit(edits[-1].start, end, "", (*edits[-1].hidden, *inside))
            else:
                edits.append(Edit(start, end, "", inside))
        return [self._with_empty_line(edit) for edit in edits]

    def replaced(self, path: Path, values: Mapping[str, Any]) -> list[Edit]:
        """Edits that give pairs of a table other values, or add them. Raises TextError for a table in one line."""
        header = next(
            (statement for statement in self._statements if statement.header and statement.path == path), None
        )
        if header is None:
            raise TextError(f"{'.'.join(path)} is written in one line, which is not taken apart here")
        pairs = {statement.path: statement for statement in self._statements if not statement.header}
        edits = []
        for key, value in values.items():
            pair = pairs.get((*path, key))
            if pair is None:
                at = self._whole_lines(header)[1]
                lead = "" if self.text[:at].endswith("\n") else self._newline
                edits.append(Edit(at, at, f"{lead}{key} = {_toml(value)}{self._newline}"))
            elif tomllib.loads(f"it = {self.text[pair.value : pair.end]}")["it"] != value:
                edits.append(Edit(pair.start, pair.end, self.text[pair.start : pair.value] + _toml(value)))
        return edits

    @property
    def _newline(self) -> str:
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    def _whole_lines(self, statement: _Statement) -> tuple[int, int]:
        end = self.text.find("\n", statement.end)
        return self.text.rfind("\n", 0, statement.start) + 1, len(self.text) if end < 0 else end + 1

    def _with_empty_line(self, edit: Edit) -> Edit:
        """With the empty line before it, where one would be left at the end or beside another."""
        before = re.compile(r"(?:\A|(?<=\n))[ \t]*\r?\n\Z").search(self.text, 0, edit.start)
        behind = self.text[edit.end :]
        if before and (not behind or re.match(r"[ \t]*\r?\n", behind)):
            return Edit(before.start(), edit.end, "", edit.hidden)
        return edit


def _statements(text: str) -> Iterator[_Statement]:
    """Every statement of a text that is known to be TOML."""
    at = 0
    table: Path = ()
    while at < len(text):
        piece = _piece(text, at)
        if piece[0] in " \t\r\n#":
            at += len(piece)
            continue
        end = _statement_end(text, at)
        if piece == "[":
            table = _path(text[at:end])
            yield _Statement(at, end, table, header=True)
        else:
            equals = next(place for place, each in _pieces(text, at) if each == "=")
            path = (*table, *_path(f"{text[at:equals]} = 0"))
            value = equals + 1 + len(text[equals + 1 : end]) - len(text[equals + 1 : end].lstrip())
            yield _Statement(at, end, path, header=False, value=value)
        at = end


def _piece(text: str, at: int) -> str:
    match = _PIECE.match(text, at)
    return match[0] if match else ""


def _pieces(text: str, at: int) -> Iterator[tuple[int, str]]:
    while at < len(text):
        piece = _piece(text, at)
        yield at, piece
        at += len(piece)


def _statement_end(text: str, at: int) -> int:
    """Behind the last thing of a statement that is neither space nor comment."""
    depth, end = 0, at
    for place, piece in _pieces(text, at):
        if piece == "\n" and depth == 0:
            break
        depth += (piece in "[{") - (piece in "]}")
        if not piece.isspace() and not piece.startswith("#"):
            end = place + len(piece)
    return end


def _path(statement: str) -> Path:
    """The keys of a header, or of a pair whose value is 0."""
    keys = []
    node: Any = tomllib.loads(statement)
    while node:
        node = node[-1] if isinstance(node, list) else node
        if node:
            ((key, node),) = node.items()
            keys.append(key)
    return tuple(keys)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _toml(value: Any) -> str:
    """A text or a list of texts; JSON's escapes are TOML's."""
    return json.dumps(value, ensure_ascii=False)
