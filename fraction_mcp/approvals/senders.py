"""Which processes could send what is approved: each live server says so, in a file of its own beside the journal.

A file of this user's alone, touched every few seconds while something waits; it names the ERPs and accounts, and holds
no secret. One that is older is of a process that was killed.
"""

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio

from fraction_mcp.operations.writes.identity import ErpIdentity
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.private_files import private_file

__all__ = ["heartbeat", "is_anybody_alive"]

FRESH_S = 10.0
_BEAT_S = 3.0
_PATTERN = "server-*.json"


async def heartbeat(folder: Path, identities: Sequence[ErpIdentity]) -> None:
    """Say that this process sends for these identities, until cancelled."""
    with _announced(folder, identities) as file:
        while True:
            await anyio.sleep(_BEAT_S)
            with suppress(OSError):  # cleared away: another beat would say nothing new
                os.utime(file)


@contextmanager
def _announced(folder: Path, identities: Sequence[ErpIdentity]) -> Iterator[Path]:
    file = private_file(folder / f"server-{os.getpid()}-{secrets.token_hex(4)}.json")
    file.write_text(json.dumps([_place(identity) for identity in identities]), encoding="utf-8")
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def is_anybody_alive(folder: Path, write: Write) -> bool:
    """Whether a server that works in this write's ERP and account has said so within the last ten seconds."""
    wanted = _place(write.identity)
    for file in folder.glob(_PATTERN):
        try:
            age_s = time.time() - file.stat().st_mtime
            places = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it is going, or only coming
            continue
        if age_s < FRESH_S and wanted in places:
            return True
        if age_s > FRESH_S * 60:
            file.unlink(missing_ok=True)
    return False


def _place(identity: ErpIdentity) -> Mapping[str, str]:
    """The ERP and the account; the company shows with the first sign-in only."""
    return {"system": str(identity.system), "base_url": identity.base_url, "account": identity.account}
