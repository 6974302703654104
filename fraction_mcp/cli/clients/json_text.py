"""Exact changes of a JSON text: what is not changed keeps every byte, comments and trailing commas included.

Knows JSON's grammar with those two liberties, and where each value stands in the text. Refuses what a program would
read as something else than this does: a name twice in an object that is looked into, anything behind the document.
Indentation, line ends and brackets of what is added follow what is there.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from fraction_mcp.cli.clients.edits import Edit, TextError

__all__ = ["JsonNumber", "JsonObject", "JsonText", "JsonValue", "Member"]

_DEPTH = 200
_WS = " \t\r\n"
_SPACE = re.compile(r"[ \t\r\n]*")
_BLANKS = re.compile(r"[ \t]*")
_COMMENT = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.S)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.A)
_WORDS = {"true": True, "false": False, "null": None}


class JsonNumber(str):
    """A number as it stands in the text: none is ever worked with here."""

    __slots__ = ()


@dataclass
class JsonValue:
    """Where a value stands, and what it is in Python's terms (an object's names each once, the last one's value)."""

    start: int
    end: int = 0
    value: Any = None


@dataclass
class Member:
    key: str
    start: int  # of the key
    value: JsonValue
    comma: int = -1  # where the comma behind it stands; -1: there is none


@dataclass
class JsonObject(JsonValue):
    members: list[Member] = field(default_factory=list)

    def member(self, key: str) -> Member | None:
        """The only member of that name. Raises TextError where any name stands here twice."""
        names = [member.key for member in self.members]
        if len(set(names)) < len(names):
            twice = min(name for name in names if names.count(name) > 1)
            raise TextError(f"{json.dumps(twice)} stands twice in one object, and programs differ in which counts")
        return next((member for member in self.members if member.key == key), None)


class JsonText:
    """A document that was read: its root, and edits that would change it.

    Raises TextError for a text that is not JSON, or not with the liberties that are allowed.
    """

    def __init__(self, text: str, *, comments: bool, trailing_commas: bool) -> None:
        self.text = text
        self._comments = comments
        self._trailing_commas = trailing_commas
        start = self._skipped(0)
        self.root = self._value(start, 0)
        if self._skipped(self.root.end) != len(text):
            self._fail(self._skipped(self.root.end), "there is something behind the document's end")

    # ------------------------------------------------------------------------------------------------------- reading

    def _fail(self, at: int, reason: str) -> NoReturn:
        raise TextError(f"line {self.text.count(chr(10), 0, at) + 1}: {reason}")

    def _skipped(self, at: int) -> int:
        """Past white space and comments."""
        while True:
            at = _end(_SPACE, self.text, at)
            if not self.text.startswith(("//", "/*"), at):
                return at
            comment = _COMMENT.match(self.text, at)
            if not self._comments:
                self._fail(at, "there is a comment, which this program does not read")
            if comment is None:
                self._fail(at, "a comment does not end")
            at = comment.end()

    def _value(self, at: int, depth: int) -> JsonValue:
        if depth > _DEPTH:
            self._fail(at, "it is nested too deeply")
        match self.text[at : at + 1]:
            case "{":
                return self._object(at, depth)
            case "[":
                return self._array(at, depth)
            case '"':
                key, end = self._string(at)
                return JsonValue(at, end, key)
        for word, value in _WORDS.items():
            if self.text.startswith(word, at):
                return JsonValue(at, at + len(word), value)
        number = _NUMBER.match(self.text, at)
        if number is None:
            self._fail(at, "there is no value where one should stand" if at < len(self.text) else "the text ends early")
        return JsonValue(at, number.end(), JsonNumber(number[0]))

    def _string(self, at: int) -> tuple[str, int]:
        match = _STRING.match(self.text, at)
        if match is None:
            self._fail(at, "a text in quotes should stand here, and does not or is malformed")
        value: str = json.loads(match[0])
        return value, match.end()

    def _object(self, at: int, depth: int) -> JsonObject:
        parsed = JsonObject(at)
        for place in self._items(at, "}", parsed):
            key, end = self._string(place)
            colon = self._skipped(end)
            if not self.text.startswith(":", colon):
                self._fail(colon, "a colon is missing")
            value = self._value(self._skipped(colon + 1), depth + 1)
            parsed.members.append(Member(key, place, value))
        parsed.value = {member.key: member.value.value for member in parsed.members}
        return parsed

    def _array(self, at: int, depth: int) -> JsonValue:
        parsed = JsonObject(at)  # its members are the items, under no name
        for place in self._items(at, "]", parsed):
            parsed.members.append(Member("", place, self._value(place, depth + 1)))
        return JsonValue(at, parsed.end, [member.value.value for member in parsed.members])

    def _items(self, at: int, close: str, into: JsonObject) -> Iterator[int]:
        """Where each item begins; whoever asks adds it to `into`, which gets its commas and its end here."""
        at = self._skipped(at + 1)
        while not self.text.startswith(close, at):
            yield at
            at = self._skipped(into.members[-1].value.end)
            if self.text.startswith(",", at):
                into.members[-1].comma = at
                comma, at = at, self._skipped(at + 1)
                if self.text.startswith(close, at) and not self._trailing_commas:
                    self._fail(comma, "there is a comma behind the last item, which this program does not read")
            elif not self.text.startswith(close, at):
                self._fail(at, f"a comma or {close} is missing")
        into.end = at + 1

    # ------------------------------------------------------------------------------------------------------ changing

    def added(self, target: JsonObject, members: Mapping[str, Any]) -> list[Edit]:
        """Edits that put members at the object's end."""
        if target.members:
            return self._appended(target, members)
        inside = self.text[target.start + 1 : target.end - 1]
        if "\n" not in self.text.strip(_WS):
            return [Edit(target.end - 1, target.end - 1, self._rendered(members, None))]
        base = self._indent(target.start)
        body = self._newline + self._rendered(members, base + self._unit)
        if kept := inside.rstrip(_WS):  # comments, which stay before it
            at = target.start + 1 + len(kept)
            return [Edit(at, at, body + ("" if "\n" in inside[len(kept) :] else self._newline + base))]
        return [Edit(target.start + 1, target.end - 1, body + self._newline + base)]

    def _appended(self, target: JsonObject, members: Mapping[str, Any]) -> list[Edit]:
        first, last = target.members[0], target.members[-1]
        end = last.comma + 1 if last.comma >= 0 else last.value.end
        before, behind = ("", ",") if last.comma >= 0 else (",", "")  # whoever writes trailing commas goes on to
        if "\n" not in self.text[target.start : first.start]:
            compact = self.text[last.value.start - 1] == ":"
            body = self._rendered(members, None, compact=compact)
            return [Edit(end, end, before + ("" if compact else " ") + body + behind)]
        at = self._behind_comments(end)
        body = self._newline + self._rendered(members, self._indent(first.start)) + behind
        return [Edit(end, end, before), Edit(at, at, body)]

    def removed(self, target: JsonObject, member: Member, hidden: tuple[tuple[int, int], ...] = ()) -> list[Edit]:
        """Edits that take a member out, with its comma, and with its line where nothing else is left on it."""
        place = target.members.index(member)
        start, end = member.start, member.comma + 1 if member.comma >= 0 else member.value.end
        edits = []
        before = target.members[place - 1] if place else None
        if member.comma < 0 and before is not None:  # the last one: the comma before it goes, too
            edits.append(Edit(before.comma, before.comma + 1, ""))
            if not self.text[before.comma + 1 : start].strip(_WS):
                return [*edits, Edit(before.comma + 1, end, "", hidden)]
        before_it, rest = self._before_on_line(start), _end(_BLANKS, self.text, end)
        if not before_it.strip(_WS) and self.text.startswith(("\n", "\r\n"), rest):
            start, end = start - len(before_it), self.text.index("\n", rest) + 1
        elif place == 0 and len(target.members) > 1:
            end = rest
        return [*edits, Edit(start, end, "", hidden)]

    def replaced(self, target: JsonObject, members: Mapping[str, Any]) -> list[Edit]:
        """Edits that give members other values, and add those that are not there."""
        edits, missing = [], {}
        for key, value in members.items():
            member = target.member(key)
            if member is None:
                missing[key] = value
            elif member.value.value != value:
                name = self.text[member.start : member.value.start]
                rendered = json.dumps(value, ensure_ascii=False, separators=(",", ":") if name.endswith(":") else None)
                edits.append(Edit(member.start, member.value.end, name + rendered))
        return [*edits, *(self.added(target, missing) if missing else [])]

    # --------------------------------------------------------------------------------------------------------- style

    @property
    def _newline(self) -> str:
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    @property
    def _unit(self) -> str:
        """One step of indentation: what the root's first member has, or two spaces."""
        root = self.root
        if isinstance(root, JsonObject) and root.members:
            before = self._before_on_line(root.members[0].start)
            if before and not before.strip(" \t"):
                return before
        return "  "

    def _before_on_line(self, at: int) -> str:
        return self.text[self.text.rfind("\n", 0, at) + 1 : at]

    def _indent(self, at: int) -> str:
        before = self._before_on_line(at)
        return before[: len(before) - len(before.lstrip(" \t"))]

    def _behind_comments(self, at: int) -> int:
        """Behind the comments that begin on this line."""
        while comment := _COMMENT.match(self.text, _end(_BLANKS, self.text, at)):
            at = comment.end()
        return at

    def _rendered(self, members: Mapping[str, Any], indent: str | None, *, compact: bool = False) -> str:
        """Members as text; on one line where there is no indentation to follow. Lists of texts stay on one line."""
        if indent is None:
            both = json.dumps(members, ensure_ascii=False, separators=(",", ":") if compact else None)
            return both[1:-1]
        newline, lines = self._newline, []
        for key, value in members.items():
            rendered = json.dumps(value, ensure_ascii=False)
            if isinstance(value, Mapping):
                rendered = "{" + newline + self._rendered(value, indent + self._unit) + newline + indent + "}"
            lines.append(f"{indent}{json.dumps(key)}: {rendered}")
        return ("," + newline).join(lines)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
