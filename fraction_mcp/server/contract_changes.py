"""What has changed in a published tool, and whether that breaks whoever calls it.

A change is breaking where a call that was taken is refused or means something else, where a result that could be read
no longer can, or where a host that was told "it only reads" would let a write through unasked. Words for people and
models (titles, descriptions) and pictures break nothing. What is not known to be harmless counts as breaking.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Change", "changes"]

_WORDS = {"title", "description", "examples", "icons"}
# Narrower when they rise, and when they fall: of what is taken, that refuses calls; of what is given, it promises more.
_AT_LEAST = {"minItems", "minLength", "minimum"}
_AT_MOST = {"maxItems", "maxLength", "maximum"}


@dataclass(frozen=True)
class Change:
    """`where` is a path such as `inputSchema.lines[].quantity`."""

    where: str
    what: str
    breaking: bool

    def __str__(self) -> str:
        return f"{'breaking' if self.breaking else 'compatible'}: {self.where}: {self.what}"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What a tool, as `tools/list` sends it, is now that it was not before."""
    collected: list[Change] = []
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if name in {"inputSchema", "outputSchema"} and isinstance(old, dict) and isinstance(new, dict):
            collected += _of_schema(old, new, name, taken=name == "inputSchema")
        else:
            collected.append(Change(name, _from_to(old, new), breaking=name not in _WORDS))
    return collected


def _of_schema(old: Mapping[str, Any], new: Mapping[str, Any], where: str, *, taken: bool) -> Iterator[Change]:
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) == new.get(key):
            continue
        if key == "properties":
            yield from _of_properties(old, new, where, taken=taken)
        elif key == "required":
            yield from _of_required(old, new, where, taken=taken)
        elif key == "enum":
            yield from _of_values(old.get(key), new.get(key), where, taken=taken)
        elif key == "items" and isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from _of_schema(old[key], new[key], f"{where}[]", taken=taken)
        else:
            what = f"{key} {_from_to(old.get(key), new.get(key))}"
            yield Change(where, what, breaking=_breaks(key, old.get(key), new.get(key), taken=taken))


def _of_properties(old: Mapping[str, Any], new: Mapping[str, Any], where: str, *, taken: bool) -> Iterator[Change]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in dict.fromkeys((*before, *after)):
        there = f"{where}.{name}"
        if name not in after:
            yield Change(there, "is no longer taken" if taken else "is no longer given", breaking=True)
        elif name not in before:
            yield Change(there, "is new", breaking=taken and name in new.get("required", ()))
        elif before[name] != after[name]:
            yield from _of_schema(before[name], after[name], there, taken=taken)


def _of_required(old: Mapping[str, Any], new: Mapping[str, Any], where: str, *, taken: bool) -> Iterator[Change]:
    """Of the names that were and are there: new ones and those that have gone are told of as properties."""
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    both = set(old.get("properties", ())) & set(new.get("properties", ()))
    for name in sorted((after - before) & both):
        yield Change(f"{where}.{name}", "is now required" if taken else "is now always given", breaking=taken)
    for name in sorted((before - after) & both):
        yield Change(f"{where}.{name}", "may be left out" if taken else "may be missing", breaking=not taken)


def _of_values(old: Any, new: Any, where: str, *, taken: bool) -> Iterator[Change]:
    if old is None or new is None:
        yield Change(where, f"enum {_from_to(old, new)}", breaking=(new is not None) == taken)
        return
    for value in old:
        if value not in new:
            yield Change(where, f"{value!r} is no longer {'taken' if taken else 'given'}", breaking=taken)
    for value in new:
        if value not in old:
            yield Change(where, f"{value!r} is new", breaking=not taken)


def _breaks(key: str, old: Any, new: Any, *, taken: bool) -> bool:
    if key in _WORDS:
        return False
    if key not in _AT_LEAST | _AT_MOST:
        return True
    narrower = old is None or (new is not None and (new > old) == (key in _AT_LEAST))
    return narrower == taken


def _from_to(old: Any, new: Any) -> str:
    return f"{_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 160 else f"{text[:159]}…"
