"""Which of the programs are on this machine, and how our entry stands in each: what `setup` and `doctor` ask.

Reads only, and never raises: what is wrong with a program's file is what it has to tell.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from fraction_mcp.cli.clients.edits import TextError
from fraction_mcp.cli.clients.entry import NAME, Options, command_of, is_ours, options_of, read_entry
from fraction_mcp.cli.clients.files import Snapshot
from fraction_mcp.cli.clients.places import CLIENTS, Client, Machine
from fraction_mcp.errors import ConfigError

__all__ = ["Entry", "Found", "found_clients"]


class Entry(StrEnum):
    """How our name stands in a program's list."""

    NONE = "none"
    OURS = "ours"
    ANOTHERS = "another's"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Found:
    """A program, its file (None where it cannot be told), and our entry in it.

    `is_here`: the program seems to be on this machine. `command` is what our entry starts, empty where there is none;
    `command_is_there` whether that can still be run. `problem` is a sentence on what is wrong, with the mend; empty
    where nothing is.
    """

    client: Client
    path: Path | None
    is_here: bool
    entry: Entry = Entry.NONE
    command: str = ""
    command_is_there: bool = False
    options: Options = field(default_factory=Options)
    problem: str = ""


def found_clients(machine: Machine | None = None) -> list[Found]:
    """Every program that `install` knows, in its order; those that are on this machine have `is_here`."""
    machine = machine or Machine.here()
    return [_inspected(client, machine) for client in CLIENTS.values()]


def _inspected(client: Client, machine: Machine) -> Found:
    here, path = client.is_here(machine), None
    try:
        path = client.path(machine)
        content = Snapshot.of(path).content or b""
        text = content.decode("utf-8-sig")
        entry = read_entry(client, text)
    except ConfigError as error:
        problem = error.message.removesuffix("; nothing was written")
        return Found(client, path, here, Entry.UNREADABLE, problem=problem)
    except (TextError, UnicodeDecodeError) as error:
        reason = error if isinstance(error, TextError) else "it is not UTF-8 text"
        problem = f"{path} cannot be read, by {client.title} either: {reason}"
        return Found(client, path, here, Entry.UNREADABLE, problem=problem)
    if entry is None:
        return Found(client, path, here)
    if not is_ours(entry):
        problem = f'{path} has an entry "{NAME}" that starts another program; rename it, then `fraction-mcp install`'
        return Found(client, path, here, Entry.ANOTHERS, problem=problem)
    command = command_of(entry)
    there = _is_there(command, machine)
    return Found(
        client, path, here, Entry.OURS, command, there, options_of(entry), _problem(client, content, entry, there)
    )


def _is_there(command: str, machine: Machine) -> bool:
    """A bare name is looked for on this process's path, which a program behind a desktop icon need not have."""
    if os.path.dirname(command):  # noqa: PTH120 - a path of another platform is no Path here
        return os.path.isfile(command) and os.access(command, os.X_OK)  # noqa: PTH113 - false where it may not be seen
    return shutil.which(command, path=machine.environ.get("PATH", "")) is not None


def _problem(client: Client, content: bytes, entry: object, there: bool) -> str:
    settings = entry if isinstance(entry, Mapping) else {}
    if not there:
        return (
            f"{client.title} is told to start {command_of(entry)}, which is not there; "
            f"`fraction-mcp install {client.name}` writes it anew"
        )
    if not client.byte_order_mark and content.startswith(b"\xef\xbb\xbf"):
        return f"{client.title} does not read a file that begins with a byte order mark; save it as UTF-8 without one"
    if settings.get("disabled") is True or settings.get("enabled") is False:
        return f"{client.title} has it switched off"
    return ""
