"""What a person bookmarks: a file of theirs alone, which leads into the inbox that runs, whatever its port is.

A port is nobody's: when the inbox has ended, or was killed, another user may listen there. So the file's page first
asks for an answer that only this inbox can give, and goes nowhere without it. The link in it counts once; a new one is
put in its place when somebody has come in by it, and none is left when the inbox ends in order.
"""

import hashlib
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio

from fraction_mcp.approvals.auth import InboxAuth
from fraction_mcp.approvals.browser import PAGE_HEAD, readable_folder
from fraction_mcp.approvals.known import Known
from fraction_mcp.errors import ConfigError
from fraction_mcp.private_files import private_file

__all__ = ["HERE", "kept_bookmark", "proof_of"]

HERE = "/here"
"""Where the inbox answers the file's question."""

_LOOK_S = 5.0
_ENDED = "<!-- no inbox runs -->"
_NONE_RUNS = (
    "No approval inbox runs at the moment. It opens by itself when a write waits for you; if one waits already, ask "
    "your assistant how its writes stand. In a terminal, <code>fraction-mcp approvals</code> opens it, too."
)
_PAGE = """\
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'nonce-{nonce}'; connect-src {address}">
<p id="said" role="status">Looking for the approval inbox …</p>
<p id="none" hidden>{none_runs}</p>
<noscript><p>This page needs JavaScript, to see whether what listens is the inbox. In a terminal,
<code>fraction-mcp approvals</code> opens it without.</p></noscript>
<script nonce="{nonce}">
"use strict";
const none = () => {{ document.getElementById("said").hidden = true; document.getElementById("none").hidden = false; }};
fetch({question}, {{ cache: "no-store", credentials: "omit" }})
  .then((answer) => answer.text())
  .then((said) => {{ if (said === {proof}) location.replace({link}); else none(); }})
  .catch(none);
window.addEventListener("pageshow", (event) => {{ if (event.persisted) location.reload(); }});
</script>
"""


def proof_of(known: Known, number: str) -> str:
    """What only this inbox can answer to a number."""
    return known.proof("bookmark", number)


@asynccontextmanager
async def kept_bookmark(auth: InboxAuth, known: Known, folder: Path) -> AsyncIterator[Path | None]:
    """The file while an inbox runs; None where it cannot be kept. `folder` is where this user's state lies.

    Where two inboxes run, it leads into the one that has started last; into the other one when that has ended.
    """
    there = readable_folder(folder, os.environ)
    name = "inbox.html" if there == folder else f"approvals-{hashlib.sha256(bytes(folder)).hexdigest()[:8]}.html"
    keeper = _Keeper(auth, known, there / name)
    try:
        keeper.write()
    except (ConfigError, OSError):
        yield None
        return
    async with anyio.create_task_group() as group:
        group.start_soon(keeper.keep)
        try:
            yield keeper.path
        finally:
            group.cancel_scope.cancel()
            keeper.end()


class _Keeper:
    def __init__(self, auth: InboxAuth, known: Known, path: Path) -> None:
        self.path = path
        self._auth = auth
        self._known = known
        self._link = auth.new_link()
        self._page = ""  # as it was written last
        self._owed = False  # a page that could not be written

    def write(self) -> None:
        """Raises OSError or ConfigError."""
        number = secrets.token_urlsafe(24)
        page = PAGE_HEAD + _PAGE.format(
            nonce=secrets.token_urlsafe(16),
            address=self._known.address,
            none_runs=_NONE_RUNS,
            question=json.dumps(f"{self._known.address}{HERE}?number={number}"),
            proof=json.dumps(proof_of(self._known, number)),
            link=json.dumps(self._link.address),
        )
        self._replace(page)
        self._page = page

    async def keep(self) -> None:
        """A new link when the last one was used; the file again where another inbox has ended meanwhile."""
        while True:
            try:
                await self._seen_to()
            except (ConfigError, OSError):  # it is tried again
                await anyio.sleep(_LOOK_S)

    async def _seen_to(self) -> None:
        is_ours = self._read() == self._page
        with anyio.move_on_after(_LOOK_S):
            await (self._link.used.wait() if is_ours else anyio.sleep_forever())
        now = self._read()
        if self._owed or (now == self._page and self._link.used.is_set()) or not now or _ENDED in now:
            self._owed = True
            self._auth.forget(self._link)
            self._link = self._auth.new_link()
            self.write()
            self._owed = False

    def end(self) -> None:
        with suppress(ConfigError, OSError):
            if self._read() == self._page:
                self._replace(f"{PAGE_HEAD}{_ENDED}\n<p>{_NONE_RUNS}</p>\n")

    def _read(self) -> str:
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""

    def _replace(self, page: str) -> None:
        new = private_file(self.path.with_name(f".{self.path.name}-{secrets.token_hex(4)}"))
        new.write_text(page, encoding="utf-8")
        new.replace(self.path)
