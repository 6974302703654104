"""`install` and `uninstall`: our entry put into a program's list of servers, and taken out again.

What is about to be written is worked out first, as a `Change` that can be shown and carried out once, and refused
while nothing is written yet. The file as it was before our entry came stays beside it: where nothing else has changed
since, `uninstall` puts back exactly those bytes, and otherwise it takes out the entry alone.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TextIO

from fraction_mcp.cli.clients.edits import TextError, applied, difference
from fraction_mcp.cli.clients.entry import NAME, Options, command_of, is_ours, options_of, put, read_entry, taken_out
from fraction_mcp.cli.clients.files import Snapshot
from fraction_mcp.cli.clients.launch import Launch, Running, launch
from fraction_mcp.cli.clients.places import CLIENTS, Client, Machine
from fraction_mcp.errors import ConfigError

__all__ = ["Change", "change_to_install", "change_to_uninstall", "install", "uninstall"]

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Change:
    """What would be written to a program's file. `after` is None where the file would be taken away."""

    client: Client
    snapshot: Snapshot
    after: bytes | None
    lines: list[str] = field(default_factory=list)
    backup: bytes | None = None
    restores: bool = False

    @property
    def changes(self) -> bool:
        return self.after != self.snapshot.content

    def carry_out(self) -> None:
        """Raises ConfigError and FractionMcpError as `Snapshot.replace` does; nothing was written then."""
        if self.after is None:
            self.snapshot.remove()
        else:
            self.snapshot.replace(self.after, backup=self.backup)
        if self.restores:
            self.snapshot.drop_backup()


def change_to_install(client: Client, machine: Machine, command: Launch, options: Options) -> Change:
    """Raises ConfigError for a file that cannot be read, or where our name is another's."""
    snapshot = Snapshot.of(client.path(machine))
    if client.expands and "$" in "".join(command.words):
        raise ConfigError(f"{client.title} would take the $ in {command.words[0]} for a variable; nothing was written")
    with _Reading(snapshot, client):
        mark, text = _text(snapshot.content)
        entry = _own_entry(client, snapshot, text)
        edits = put(client, text, command.words, options)
        after = mark + applied(text, edits).encode()
        if entry is None:
            backup = snapshot.content
        else:  # the back-up from before our entry came serves on, where it leads to this file
            backup = None if _leads_here(client, snapshot, text) else snapshot.content
    return Change(client, snapshot, after, difference(text, edits), backup)


def change_to_uninstall(client: Client, machine: Machine, only: Options | None = None) -> Change:
    """Raises as `change_to_install` does, and where the entry has other options than the `only` ones.

    A change that changes nothing where there is no entry.
    """
    snapshot = Snapshot.of(client.path(machine))
    with _Reading(snapshot, client):
        mark, text = _text(snapshot.content)
        entry = _own_entry(client, snapshot, text)
        if entry is None:
            return Change(client, snapshot, snapshot.content)
        if only is not None and options_of(entry) != only:
            there = " ".join(options_of(entry).words) or "neither --sandbox nor --profile"
            raise ConfigError(f"{client.title}'s entry is for {there}; nothing was written")
        edits = taken_out(client, text)
        lines = difference(text, edits)
        before, after = snapshot.backed_up(), mark + applied(text, edits).encode()
        if after == before or _leads_here(client, snapshot, text):
            return Change(client, snapshot, before, lines, restores=True)
        return Change(client, snapshot, after, lines, snapshot.content)


class _Reading:
    """Turns what a text cannot be read for into a line with the file's name."""

    def __init__(self, snapshot: Snapshot, client: Client) -> None:
        self._description = f"{client.title}'s file {snapshot.path}"

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, UnicodeDecodeError):
            raise ConfigError(f"{self._description} is not UTF-8 text; nothing was written") from None
        if isinstance(error, TextError):
            raise ConfigError(f"{self._description} cannot be changed: {error}; nothing was written") from None


def _text(content: bytes | None) -> tuple[bytes, str]:
    """The byte order mark, where there is one, and the text behind it."""
    content = content or b""
    mark = _BOM if content.startswith(_BOM) else b""
    return mark, content[len(mark) :].decode()


def _own_entry(client: Client, snapshot: Snapshot, text: str) -> object | None:
    entry = read_entry(client, text)
    if entry is not None and not is_ours(entry):
        raise ConfigError(
            f'{client.title}\'s file {snapshot.path} has an entry "{NAME}" that starts another program; '
            "nothing was written. Rename or remove that entry first"
        )
    return entry


def _leads_here(client: Client, snapshot: Snapshot, text: str) -> bool:
    """Whether our entry is all that has changed since the back-up, or since there was no file at all.

    Told by doing it again: the entry that stands in the file now, put into the back-up, must make this very file.
    """
    before, entry = snapshot.backed_up(), read_entry(client, text)
    words = [command_of(entry), *entry.get("args", ())] if isinstance(entry, Mapping) else []
    if "serve" not in words:
        return False
    try:
        mark, base = _text(before)
        if read_entry(client, base) is not None:
            return False
        edits = put(client, base, words[: words.index("serve")], options_of(entry))
    except (TextError, UnicodeDecodeError):
        return False
    return mark + applied(base, edits).encode() == snapshot.content


# ----------------------------------------------------------------------------------------------------------- commands


def install(name: str, *, sandbox: bool, profile: str, dry_run: bool) -> int:
    client, machine = CLIENTS[name], Machine.here()
    if profile.startswith("-") or not (profile + "x").isprintable():
        raise ConfigError("a profile's name has no dash at its beginning, and no control characters")
    command = launch(Running.here())
    change = change_to_install(client, machine, command, Options(sandbox, profile))
    was_here = client.is_here(machine)
    done = _carried_out(change, dry_run=dry_run, same="This is installed already; nothing was written.")
    if done:
        _say(client.afterwards)
    if command.note:
        _say(command.note)
    _warn(change, machine, was_here=was_here)
    return 0


def uninstall(name: str, *, sandbox: bool, profile: str, dry_run: bool) -> int:
    client = CLIENTS[name]
    only = Options(sandbox, profile) if sandbox or profile else None
    change = change_to_uninstall(client, Machine.here(), only)
    _carried_out(change, dry_run=dry_run, same="There is no entry of fraction-mcp in it; nothing was written.")
    return 0


def _carried_out(change: Change, *, dry_run: bool, same: str) -> bool:
    """Show a change and carry it out; whether anything was written."""
    _say(f"{change.client.title}: {change.snapshot.path}")
    if not change.changes:
        _say(same)
        return False
    for line in change.lines:
        _say(line)
    if dry_run:
        _say("Nothing was written (--dry-run).")
        return False
    change.carry_out()
    if change.after is None:
        _say("Removed: the file held nothing else.")
    elif change.restores:
        _say("Written: the file is as it was before.")
    elif change.backup is not None:
        _say(f"Written. The file as it was: {change.snapshot.backup}")
    else:
        _say("Written.")
    return True


def _warn(change: Change, machine: Machine, *, was_here: bool) -> None:
    """What would keep the program from starting this server, as far as it can be seen from here."""
    client, warnings = change.client, []
    if not was_here:
        warnings.append(f"{client.title} was not found on this machine; it is set up for when it comes")
    if not client.byte_order_mark and (change.after or b"").startswith(_BOM):
        warnings.append(
            f"{client.title} does not read a file that begins with a byte order mark, and may write it anew without "
            "its servers: save it as UTF-8 without one"
        )
    variables = sorted(name for name in machine.environ if name.upper().startswith(("FRACTION_", "FRACTTAL_")))
    if variables:
        warnings.append(
            f"{client.title} starts the server without what is set here alone ({', '.join(variables)}); "
            "`fraction-mcp login` keeps an account for it"
        )
    for line in warnings:
        sys.stderr.write(_fit(f"fraction-mcp: {line}\n", sys.stderr))


def _say(line: str) -> None:
    sys.stdout.write(_fit(f"{line}\n", sys.stdout))


def _fit(text: str, stream: TextIO) -> str:
    """Nothing that moves a cursor, and nothing that the stream's encoding lacks: both may come out of a path."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    encoding = stream.encoding or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)
