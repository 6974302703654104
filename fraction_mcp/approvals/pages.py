"""One desk's inbox: how its person comes in, and what stands around the pages of their writes (`writes_pages`)."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    Response,
)
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fraction_mcp.approvals.access import SESSION, AccessMiddleware, SignedIn
from fraction_mcp.approvals.auth import InboxAuth, Session
from fraction_mcp.approvals.bookmark import HERE, proof_of
from fraction_mcp.approvals.known import Known, Proofs
from fraction_mcp.approvals.web import page, read_form, static
from fraction_mcp.approvals.writes_pages import Decide, Visit, WritePages, trouble
from fraction_mcp.errors import JournalError
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.os_account import who_is_here

__all__ = ["Around", "Pages"]

_ID = re.compile(r"w[0-9a-f]{12}")


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
        self._writes = WritePages(self._visit, decide, closing)
        routes = [
            Route("/enter", self._enter, methods=["GET"]),
            Route("/static/{name}", static),
            Route(HERE, self._here, methods=["GET"]),
            Route("/open", self._open, methods=["POST"]),
            Route("/known", self._known, methods=["POST"]),
            Route("/known/show", self._show, methods=["POST"]),
            Mount("/s/{place}", routes=self._writes.routes, middleware=[Middleware(SignedIn, auth, self._shut)]),
            Mount("/", self._shut),
        ]
        handlers = {JournalError: self._trouble}
        self.app: ASGIApp = AccessMiddleware(Starlette(routes=routes, exception_handlers=handlers), auth)

    @property
    def watched_by(self) -> int:
        return self._writes.watched_by

    async def _visit(self, request: Request) -> Visit:
        session = _session(request)
        return Visit(self._service, who_is_here(), session.root, session.csrf, self._around.alive, self._around.kept())

    # ---------------------------------------------------------------------------------------------------- coming in

    async def _enter(self, request: Request) -> Response:
        """The one page that tells a browser where its own pages are.

        A page and not a redirect: a browser that was sent here from another site (a terminal in a web page) keeps a
        strict cookie back until a page of ours asks.
        """
        session = self._auth.enter(request.query_params.get("token", ""))
        if session is None:
            opens = self._around.open_here is not None
            return page("shut.html", status=403, opens=opens, write="", words="")
        write = request.query_params.get("write", "")
        address = session.root + (f"?write={write}" if _ID.fullmatch(write) else "")
        response = page("entered.html", root=session.root, address=address)
        response.set_cookie(session.cookie, session.id, path=session.root, httponly=True, samesite="strict")
        return response

    async def _shut(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every address outside a session, the one that a client may be given for a write (/writes/ID) included: it
        shows nothing, and a script leads on whoever is signed in."""
        write = scope["path"].removeprefix("/writes/")
        named = write if _ID.fullmatch(write) else ""
        shut = page("shut.html", status=403, opens=self._around.open_here is not None, write=named, words="")
        await shut(scope, receive, send)

    async def _open(self, request: Request) -> Response:
        """The button of a browser that is not signed in: the person's own browser is opened, on this computer, with a
        link that whoever pressed it does not see."""
        write = (await read_form(request)).get("write", "")
        if self._around.open_here is None:
            return PlainTextResponse("There is no browser to open here.\n", 404)
        wait_s = await self._around.open_here(write if _ID.fullmatch(write) else "")
        words = "The inbox is being opened in a browser on this computer." if wait_s <= 0 else (
            f"The browser was opened a moment ago, and is not opened again for {wait_s:.0f} seconds."
        )  # fmt: skip
        return page("shut.html", status=200, opens=wait_s > 0, write=write, words=words)

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
        query = request.query_params
        proofs = self._around.proofs
        if proofs is None or not proofs.holds(query.get("number", ""), query.get("proof", ""), "show"):
            return PlainTextResponse("Not found\n", 404)
        self._around.show()
        return JSONResponse({"done": "show"})

    async def _trouble(self, request: Request, error: Exception) -> Response:
        """Before anything was decided, or where there was nothing to decide."""
        session: Session | None = request.scope.get(SESSION)
        return trouble(cast("JournalError", error), "Nothing was decided.", session.root if session else "")


def _session(request: Request) -> Session:
    session: Session = request.scope[SESSION]
    return session
