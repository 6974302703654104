"""Our entry in a program's list of servers: what it says, how it is told from another's, and how a list is changed.

Texts come here without a byte order mark.

An entry is ours where its command starts this server, whoever wrote it. Changing it changes its command and the
options that `install` knows; what else a person or the program put there (`env`, `disabled`, `--read-only`) stays.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PureWindowsPath
from typing import Any

from fraction_mcp.cli.clients.edits import Edit, TextError, applied
from fraction_mcp.cli.clients.json_text import JsonObject, JsonText
from fraction_mcp.cli.clients.places import Client
from fraction_mcp.cli.clients.toml_text import TomlText

__all__ = ["NAME", "Options", "command_of", "is_ours", "options_of", "put", "read_entry", "taken_out"]

NAME = "fraction"
_SHOWN = ("type", "command", "args")  # the rest of an entry may hold secrets


@dataclass(frozen=True)
class Options:
    """What `serve` is asked for: the embedded ERPs, or the account of a profile."""

    sandbox: bool = False
    profile: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        return ("--sandbox",) if self.sandbox else ("--profile", self.profile) if self.profile else ()


def is_ours(entry: object) -> bool:
    words = _words(entry)
    if not words:
        return False
    program = re.sub(r"\.exe$", "", PureWindowsPath(words[0]).name.casefold())  # takes both kinds of path apart
    module = any(pair == ("-m", "fraction_mcp") for pair in pairwise(words))
    runner = program in {"uv", "uvx", "pipx"} and any(
        re.fullmatch(r"fraction-mcp([=@\[].*)?", word) for word in words[1:]
    )
    return program == "fraction-mcp" or module or runner


def command_of(entry: object) -> str:
    """What an entry starts; empty where it says nothing that could be."""
    return _words(entry)[0] if _words(entry) else ""


def options_of(entry: object) -> Options:
    words = _behind_serve(_words(entry))
    place = words.index("--profile") + 1 if "--profile" in words else len(words)
    return Options("--sandbox" in words, words[place] if place < len(words) else "")


def _words(entry: object) -> tuple[str, ...]:
    if not isinstance(entry, Mapping):
        return ()
    args = entry.get("args", [])
    words = [entry.get("command"), *(args if isinstance(args, list) else [None])]
    return tuple(words) if all(type(word) is str for word in words) else ()


def _behind_serve(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(words[words.index("serve") + 1 :]) if "serve" in words else ()


def _kept(entry: object) -> tuple[str, ...]:
    """The options of `serve` that are not for `install` to set."""
    words = list(_behind_serve(_words(entry)))
    if "--profile" in words:
        place = words.index("--profile")
        del words[place : place + 2]
    return tuple(word for word in words if word != "--sandbox")


def read_entry(client: Client, text: str) -> object | None:
    """What stands under our name, or None. Raises TextError for a text that the program could not read either."""
    return _list(client, text)[1]


def put(client: Client, text: str, command: Sequence[str], options: Options) -> list[Edit]:
    """Edits that make our entry start this command. Raises TextError where the text cannot be changed.

    Whoever calls has made sure that what stands under our name, if anything, is ours.
    """
    document, entry = _list(client, text)
    words = [*command, "serve", *options.words, *_kept(entry)]
    wanted = {**({"type": "stdio"} if client.typed else {}), "command": words[0], "args": words[1:]}
    path = (client.servers, NAME)
    if document is None:
        fresh = _fresh(client, wanted)
        edits = [Edit(len(text), len(text), fresh.replace("\n", "\r\n") if "\r\n" in text else fresh)]
    elif isinstance(document, TomlText):
        edits = document.added(path, wanted) if entry is None else document.replaced(path, wanted)
    else:
        edits = _put_json(client, document, wanted)
    both = {**(entry if isinstance(entry, Mapping) else {}), **wanted}
    return _proven(client, text, edits, both)


def taken_out(client: Client, text: str) -> list[Edit]:
    """Edits that take our entry out, and nothing else."""
    document, entry = _list(client, text)
    if entry is None or document is None:
        return []
    if isinstance(document, TomlText):
        return _proven(client, text, document.removed((client.servers, NAME), _SHOWN), None)
    servers = _object(document, client)
    member = servers.member(NAME) if servers else None
    if servers is None or member is None:
        return []
    inner = member.value.members if isinstance(member.value, JsonObject) else []
    hidden = tuple((each.value.start, each.value.end) for each in inner if each.key not in _SHOWN)
    return _proven(client, text, document.removed(servers, member, hidden), None)


# ----------------------------------------------------------------------------------------------------------- the text


def _list(client: Client, text: str) -> tuple[JsonText | TomlText | None, object | None]:
    """The document and what stands in it under our name; no document where nothing is written at all."""
    if not text.strip():
        return None, None
    if client.toml:
        document = TomlText(text)
        servers = document.value.get(client.servers, {})
        if not isinstance(servers, dict):
            raise TextError(f"{client.servers} is no table")
        return document, servers.get(NAME)
    read = JsonText(text, comments=client.comments, trailing_commas=client.trailing_commas)
    servers_object = _object(read, client)
    member = servers_object.member(NAME) if servers_object else None
    if member is not None and isinstance(member.value, JsonObject):
        member.value.member("command")  # a name twice in it is a reason to stop
    return read, member.value.value if member else None


def _object(document: JsonText, client: Client) -> JsonObject | None:
    """The object that holds the servers, None where there is none yet."""
    if not isinstance(document.root, JsonObject):
        raise TextError("it is not an object, with braces around it")
    member = document.root.member(client.servers)
    if member is None:
        return None
    if not isinstance(member.value, JsonObject):
        raise TextError(f'"{client.servers}" is not an object, with braces around it')
    return member.value


def _put_json(client: Client, document: JsonText, wanted: Mapping[str, Any]) -> list[Edit]:
    servers = _object(document, client)
    if servers is None and isinstance(document.root, JsonObject):
        return document.added(document.root, {client.servers: {NAME: wanted}})
    member = servers.member(NAME) if servers else None
    if servers is not None and member is None:
        return document.added(servers, {NAME: wanted})
    if member is None or not isinstance(member.value, JsonObject):
        raise TextError(f'"{NAME}" is not an object, with braces around it')
    return document.replaced(member.value, wanted)


def _fresh(client: Client, wanted: Mapping[str, Any]) -> str:
    """A file of our entry alone."""
    if client.toml:
        return applied("", TomlText("").added((client.servers, NAME), wanted))
    empty = JsonText("{\n}\n", comments=False, trailing_commas=False)
    return applied(empty.text, _put_json(client, empty, wanted))


def _proven(client: Client, text: str, edits: list[Edit], entry: Mapping[str, Any] | None) -> list[Edit]:
    """The edits, once their result was read again: our entry is as wanted, and nothing else reads differently."""
    before, after = _value(client, text), _value(client, applied(text, edits))
    servers = after.get(client.servers, {})
    our_entry = servers.pop(NAME, None)
    before.get(client.servers, {}).pop(NAME, None)
    if not servers and not before.get(client.servers):  # an empty list that was added, or is left
        after.pop(client.servers, None)
        before.pop(client.servers, None)
    if our_entry != entry or before != after:
        raise TextError("it is written in a way that cannot be changed here without touching more of it")
    return edits


def _value(client: Client, text: str) -> dict[str, Any]:
    document, _ = _list(client, text)
    if document is None:
        return {}
    return document.value if isinstance(document, TomlText) else document.root.value
