"""The inbox's pages: the list, and what its buttons do. Plain forms and redirects; a script only keeps it fresh.

Knows HTML and HTTP. Whatever came out of an ERP is escaped by the templates, which are the only place where text
becomes HTML.
"""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlencode

import anyio
import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fraction_mcp.approvals.access import SESSION, AccessMiddleware, SignedIn
from fraction_mcp.approvals.auth import InboxAuth, Session
from fraction_mcp.approvals.board import Result, read_board, result_of, write_of
from fraction_mcp.approvals.bookmark import HERE, proof_of
from fraction_mcp.approvals.known import Known, Proofs
from fraction_mcp.approvals.searching import table_of
from fraction_mcp.approvals.view import View
from fraction_mcp.errors import FractionMcpError, JournalError, WriteNotFound
from fraction_mcp.operations.writes.decisions import DECISIONS, Said
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.os_account import who_is_here
from fraction_mcp.tools.catalogue import catalogue

__all__ = ["Around", "Decide", "Pages"]

logger = logging.getLogger(__name__)

Decide = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
"""Runs a decision to its end, even if the browser that asked for it, or the page, does not wait for it."""

_HERE = Path(__file__).parent
_STATIC = {
    "inbox.css": "text/css",
    "inbox.js": "text/javascript",
    "shut.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_ID = re.compile(r"w[0-9a-f]{12}")
_LARGEST_FORM = 8_192
_LOOK_S = 1.0
_BATCH_S = 3.0
_LAPSES_S = 30  # how often the journal is asked for what time alone has done
_TOLD = {
    "changed": "It changed after this page showed it, so nothing was approved. Look at what it is now.",
    "late": "It had been decided already, so the button did nothing.",
    "decided": "",
}


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around an inbox. `open_here` opens the person's browser on a write ('' for all), once a minute, and
    says in how many seconds it may (0: it does); None where there is none. `show` does so unless somebody looks. `kept`
    is the file that a person may bookmark."""

    open_here: Callable[[str], Awaitable[float]] | None = None
    show: Callable[[], None] = lambda: None
    proofs: Proofs | None = None
    known: Known | None = None
    alive: Callable[[Write], bool] = lambda _write: False
    kept: Callable[[], str] = lambda: ""


class Pages:
    """One inbox's application (`app`). `closing` ends the streams of whoever is watching."""

    def __init__(
        self,
        service: WriteService,
        auth: InboxAuth,
        decide: Decide,
        closing: anyio.Event,
        around: Around | None = None,
    ) -> None:
        self._around = around or Around()
        self._service = service
        self._auth = auth
        self._decide = decide
        self._closing = closing
        self.watched_by = 0
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        pages = [
            Route("/", self._list),
            Route("/cards", self._cards),
            Route("/writes.csv", self._table, methods=["GET"]),
            Route("/events", self._events, methods=["GET"]),
            Route("/writes/{id}/{what}", self._decision, methods=["POST"]),
        ]
        routes = [
            Route("/enter", self._enter, methods=["GET"]),
            Route("/static/{name}", self._static),
            Route(HERE, self._here, methods=["GET"]),
            Route("/open", self._open, methods=["POST"]),
            Route("/known", self._known, methods=["POST"]),
            Route("/known/show", self._show, methods=["POST"]),
            Mount("/s/{place}", routes=pages, middleware=[Middleware(SignedIn, auth, self._shut)]),
            Mount("/", self._shut),
        ]
        told = {JournalError: self._trouble}
        self.app: ASGIApp = AccessMiddleware(Starlette(routes=routes, exception_handlers=told), auth)

    # --------------------------------------------------------------------------------------------------------- looking

    async def _list(self, request: Request) -> Response:
        around: dict[str, Any] = {"states": list(State), "tools": _writing_tools(), "kept": self._around.kept()}
        return self._page("page.html", **around, **await self._board(request))

    async def _told(self, request: Request) -> Result | None:
        """What the button did that led here; the address says only which write it was and why."""
        for name, prefix in _TOLD.items():
            write = await write_of(self._service, request.query_params.get(name, ""))
            if write is not None:
                return await result_of(self._service, write, prefix, self._around.alive)
        return None

    async def _cards(self, request: Request) -> Response:
        return self._page("cards.html", **await self._board(request))

    async def _board(self, request: Request) -> dict[str, Any]:
        told = await self._told(request)
        view = replace(View.read(request.query_params), without=told.card.id if told and told.card else "")
        board = await read_board(self._service, view, self._around.alive)
        return {"told": told, "board": board, "view": view, "csrf": _session(request).csrf}

    async def _table(self, request: Request) -> Response:
        """All that is found, as a file."""
        search = View.read(request.query_params).search
        day = datetime.fromtimestamp(self._service.journal.now()).astimezone()
        headers = {"content-disposition": f'attachment; filename="writes-{day:%Y-%m-%d}.csv"'}
        pieces = table_of(self._service.journal, search)
        first = await anext(pieces)  # a journal that fails is told on a page

        async def all_of_it() -> AsyncIterator[str]:
            yield first
            async for piece in pieces:
                yield piece

        return StreamingResponse(all_of_it(), media_type="text/csv; charset=utf-8", headers=headers)

    async def _events(self, _request: Request) -> Response:
        return StreamingResponse(self._changes(), media_type="text/event-stream")

    async def _changes(self) -> AsyncIterator[str]:
        """One event now, and one whenever the journal has grown, until the browser leaves or the inbox ends.

        A page whose stream breaks off takes the inbox for gone. So a journal that fails is waited for.
        """
        self.watched_by += 1
        try:
            told, looks = "", 0
            while not self._closing.is_set():
                head = await self._looked(told, lapses=looks % _LAPSES_S == 0)
                yield f"data: {head}\n\n" if head != told else ":\n\n"
                told, looks = head, looks + 1
                with anyio.move_on_after(_LOOK_S):
                    await self._closing.wait()
        finally:
            self.watched_by -= 1

    async def _looked(self, told: str, *, lapses: bool) -> str:
        """The end of the journal's chain, or the one that was told where it fails. `lapses`: what has expired is first
        marked so."""
        with suppress(JournalError):
            if lapses:
                await read_board(self._service, View())
            with anyio.CancelScope(shield=True):  # a database connection is not left half way
                told = await self._service.journal.head()
        return told

    # -------------------------------------------------------------------------------------------------------- deciding

    async def _decision(self, request: Request) -> Response:
        form = await _form(request)
        if not self._auth.is_token(_session(request), form.get("csrf", "")):
            return PlainTextResponse("The page was out of date. Nothing was decided: load it again.\n", 403)
        digest = form.get("digest", "")
        decision = DECISIONS.get(request.path_params["what"])
        if decision is None or not digest:
            return PlainTextResponse("There is no such button.\n", 400)
        try:
            write = await self._service.write(request.path_params["id"])
        except WriteNotFound as error:
            return PlainTextResponse(f"{error.message}\n", 404)
        if not decision.fits(write):
            return _back(request, write, "late", form)
        after: list[Write] = []

        async def decided() -> None:
            said = Said(f"{who_is_here()} in the approval inbox", digest, form.get("reason", ""))
            after.append(await decision.act(self._service, write, said))

        batch = await self._service.batch(write)
        try:
            # A batch may take minutes: the page shows how far it has come.
            with anyio.move_on_after(_BATCH_S if len(batch.writes) > 1 else None):
                await self._decide(decided)
        except JournalError as error:  # the button may count, though nobody could say so
            return self._journal_fails(request, error, "Whether the button counted shows when it answers again.")
        except FractionMcpError as error:
            logger.warning("%s: %s", write.id, error.message)
            return PlainTextResponse(f"{error.message}. {error.hint}\n", 502)
        changed = bool(after) and after[0].state is State.AWAITING and digest != await self._digest(after[0])
        return _back(request, write, "changed" if changed else "decided", form)

    async def _digest(self, write: Write) -> str:
        return (await self._service.batch(write)).digest

    # ---------------------------------------------------------------------------------------------------- coming in

    async def _enter(self, request: Request) -> Response:
        """The one page that tells a browser where its own pages are.

        A page and not a redirect: a browser that was sent here from another site (a terminal in a web page) keeps a
        strict cookie back until a page of ours asks.
        """
        session = self._auth.enter(request.query_params.get("token", ""))
        if session is None:
            opens = self._around.open_here is not None
            return self._page("shut.html", status=403, opens=opens, write="", words="")
        write = request.query_params.get("write", "")
        response = self._page("entered.html", root=session.root + (f"?write={write}" if _ID.fullmatch(write) else ""))
        response.set_cookie(session.cookie, session.id, path=session.root, httponly=True, samesite="strict")
        return response

    async def _shut(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every address outside a session, the one that a client may be given for a write (/writes/ID) included: it
        shows nothing, and a script leads on whoever is signed in."""
        write = scope["path"].removeprefix("/writes/")
        page = self._page("shut.html", status=403, opens=self._around.open_here is not None,
                          write=write if _ID.fullmatch(write) else "", words="")  # fmt: skip
        await page(scope, receive, send)

    async def _open(self, request: Request) -> Response:
        """The button of a browser that is not signed in: the person's own browser is opened, on this computer, with a
        link that whoever pressed it does not see."""
        write = (await _form(request)).get("write", "")
        if self._around.open_here is None:
            return PlainTextResponse("There is no browser to open here.\n", 404)
        wait_s = await self._around.open_here(write if _ID.fullmatch(write) else "")
        words = "The inbox is being opened in a browser on this computer." if wait_s <= 0 else (
            f"The browser was opened a moment ago, and is not opened again for {wait_s:.0f} seconds."
        )  # fmt: skip
        return self._page("shut.html", status=200, opens=wait_s > 0, write=write, words=words)

    async def _here(self, request: Request) -> Response:
        """For the page of the file that people bookmark, whose origin is `null`: that this is the inbox it was of."""
        if self._around.known is None:
            return PlainTextResponse("Not found\n", 404)
        proof = proof_of(self._around.known, request.query_params.get("number", "")[:80])
        return PlainTextResponse(proof, headers={"access-control-allow-origin": "null"})

    async def _known(self, request: Request) -> Response:
        if self._around.proofs is None:
            return PlainTextResponse("Not found\n", 404)
        return JSONResponse(self._around.proofs.answer(request.query_params.get("number", "")[:80]))

    async def _show(self, request: Request) -> Response:
        """A server of this state folder asks for its person."""
        said = request.query_params
        proofs = self._around.proofs
        if proofs is None or not proofs.holds(said.get("number", ""), said.get("proof", ""), "show"):
            return PlainTextResponse("Not found\n", 404)
        self._around.show()
        return JSONResponse({"done": "show"})

    async def _trouble(self, request: Request, error: Exception) -> Response:
        """Before anything was decided, or where there was nothing to decide."""
        return self._journal_fails(request, cast("JournalError", error), "Nothing was decided.")

    def _journal_fails(self, request: Request, error: JournalError, decided: str) -> Response:
        session: Session | None = request.scope.get(SESSION)
        said = {"message": error.message[:1].upper() + error.message[1:], "hint": error.hint, "decided": decided}
        return self._page("trouble.html", status=503, root=session.root if session else "", **said)

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            return PlainTextResponse("Not found\n", 404)
        return Response(await anyio.Path(_HERE / "static" / name).read_bytes(), media_type=_STATIC[name])

    def _page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(**values), status)


def _session(request: Request) -> Session:
    session: Session = request.scope[SESSION]
    return session


def _back(request: Request, write: Write, told: str, form: Mapping[str, str]) -> Response:
    """To where the button was, with what it did."""
    query = {told: write.id, **View.read(form).query()}
    return RedirectResponse(f"{_session(request).root}?{urlencode(query)}", 303)


async def _form(request: Request) -> dict[str, str]:
    """The first value of each field; nothing from a body that no form of ours sends."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_FORM:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _writing_tools() -> list[str]:
    return sorted(name for name, spec in catalogue().items() if spec.effect.plans)
