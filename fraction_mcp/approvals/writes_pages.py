"""The pages of writes: the list, and what its buttons do. Plain forms and redirects; a script only keeps it fresh.

Knows HTML and HTTP, and not how somebody came in: a `Visit` says who looks, and at whose writes.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from fraction_mcp.approvals.auth import is_same
from fraction_mcp.approvals.board import Result, read_board, result_of, write_of
from fraction_mcp.approvals.searching import table_of
from fraction_mcp.approvals.view import View
from fraction_mcp.approvals.web import page, read_form
from fraction_mcp.errors import FractionMcpError, JournalError, NotTheApprover, WriteNotFound
from fraction_mcp.operations.writes.decisions import DECISIONS, Said
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.tools.catalogue import catalogue

__all__ = ["Decide", "Visit", "WritePages", "trouble"]

logger = logging.getLogger(__name__)

Decide = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
"""Runs a decision to its end, even if the browser that asked for it, or the page, does not wait for it."""

_LOOK_S = 1.0
_STILL_S = 5.0  # after which a page is told that nothing has changed
_BATCH_S = 3.0
_LAPSES_S = 30  # how often the journal is asked for what time alone has done
_PREFIXES = {
    "changed": "It changed after this page showed it, so nothing was approved. Look at what it is now.",
    "late": "It had been decided already, so the button did nothing.",
    "decided": "",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """Who looks (`by`, as the journal will have them), at the writes of which service, from `root`, where the list is.
    `csrf` stands in every form. `kept` is the file that a person may bookmark. `account` is what somebody signed in
    with, where people do."""

    service: WriteService
    by: str
    root: str
    csrf: str
    alive: Callable[[Write], bool] = lambda _write: False
    kept: str = ""
    account: str = ""

    def sent(self, form: Mapping[str, str]) -> bool:
        """Whether a form is of a page of this visit."""
        return is_same(self.csrf, form.get("csrf", ""))


class WritePages:
    """`routes`, below where the list is. `closing` ends the streams of whoever is watching."""

    def __init__(self, visit_of: Callable[[Request], Awaitable[Visit]], decide: Decide, closing: anyio.Event) -> None:
        self._visit = visit_of
        self._decide = decide
        self._closing = closing
        self.watched_by = 0
        self.routes = [
            Route("/", self._list),
            Route("/cards", self._cards),
            Route("/writes.csv", self._table, methods=["GET"]),
            Route("/events", self._events, methods=["GET"]),
            Route("/writes/{id}/{what}", self._decision, methods=["POST"]),
        ]

    # --------------------------------------------------------------------------------------------------------- looking

    async def _list(self, request: Request) -> Response:
        visit = await self._visit(request)
        around: dict[str, Any] = {"states": list(State), "tools": _writing_tools(), "kept": visit.kept}
        around |= {"by": visit.by, "account": visit.account}
        return page("page.html", **around, **await self._board(request, visit))

    async def _cards(self, request: Request) -> Response:
        return page("cards.html", **await self._board(request, await self._visit(request)))

    async def _board(self, request: Request, visit: Visit) -> dict[str, Any]:
        result = await _button_result(request, visit)
        view = replace(View.read(request.query_params), without=result.card.id if result and result.card else "")
        board = await read_board(visit.service, view, visit.alive)
        return {"told": result, "board": board, "view": view, "csrf": visit.csrf}

    async def _table(self, request: Request) -> Response:
        """All that is found, as a file."""
        search = View.read(request.query_params).search
        journal = (await self._visit(request)).service.journal
        day = datetime.fromtimestamp(journal.now()).astimezone()
        headers = {"content-disposition": f'attachment; filename="writes-{day:%Y-%m-%d}.csv"'}
        pieces = table_of(journal, search)
        first = await anext(pieces)  # a journal that fails is told on a page

        async def all_of_it() -> AsyncIterator[str]:
            yield first
            async for piece in pieces:
                yield piece

        return StreamingResponse(all_of_it(), media_type="text/csv; charset=utf-8", headers=headers)

    async def _events(self, request: Request) -> Response:
        changes = self._changes(request, await self._visit(request))
        return StreamingResponse(changes, media_type="text/event-stream")

    async def _changes(self, request: Request, visit: Visit) -> AsyncIterator[str]:
        """One event now, and one whenever something has changed that this visitor sees, until the browser leaves, its
        person is signed out, or the inbox ends.

        A page whose stream breaks off takes the inbox for gone. So a journal that fails is waited for.
        """
        self.watched_by += 1
        try:
            last_end, shown, lapsed_at = "", None, float("-inf")
            while not self._closing.is_set():
                lapses = anyio.current_time() - lapsed_at >= _LAPSES_S
                lapsed_at = anyio.current_time() if lapses else lapsed_at
                end = await self._looked(visit.service, last_end, lapses=lapses)
                newest = shown
                with suppress(JournalError):
                    if end != last_end:
                        newest = await (await self._visit(request)).service.journal.history.newest()
                        last_end = end
                yield f"data: {newest}\n\n" if newest != shown else ":\n\n"
                shown = newest
        except HTTPException:
            return  # nobody is signed in there any more
        finally:
            self.watched_by -= 1

    async def _looked(self, service: WriteService, last_end: str, *, lapses: bool) -> str:
        """The end of the journal's chain once it is not `last_end`, or as it is after a while; `last_end` where the
        journal fails, or the inbox ends. `lapses`: what has expired is first marked so."""
        with suppress(JournalError):
            if lapses:
                await read_board(service, View())
            return await self._changed(service, last_end)
        with anyio.move_on_after(_LOOK_S):
            await self._closing.wait()
        return last_end

    async def _changed(self, service: WriteService, end: str) -> str:
        """Raises JournalError; at the end of the inbox nothing holds it up."""
        waits = anyio.CancelScope()

        async def closing() -> None:
            await self._closing.wait()
            waits.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(closing)
            try:
                with waits:
                    end = await service.journal.changed(end, within_s=_STILL_S)
            except JournalError as error:
                failed: JournalError | None = error
            else:
                failed = None
            group.cancel_scope.cancel()
        if failed is not None:  # as itself, and not within a group
            raise failed
        return end

    # -------------------------------------------------------------------------------------------------------- deciding

    async def _decision(self, request: Request) -> Response:
        visit, form = await self._visit(request), await read_form(request)
        if not visit.sent(form):
            return PlainTextResponse("The page was out of date. Nothing was decided: load it again.\n", 403)
        digest = form.get("digest", "")
        decision = DECISIONS.get(request.path_params["what"])
        if decision is None or not digest:
            return PlainTextResponse("There is no such button.\n", 400)
        try:
            write = await visit.service.write(request.path_params["id"])
        except WriteNotFound as error:
            return PlainTextResponse(f"{error.message}\n", 404)
        if not decision.fits(write):
            return _back(visit, write, "late", form)
        after: list[Write] = []

        async def decided() -> None:
            by = visit.service.decider(f"{visit.by} in the approval inbox")
            answer = Said(by, digest, form.get("reason", ""))
            after.append(await decision.act(visit.service, write, answer))

        batch = await visit.service.batch(write)
        try:
            # A batch may take minutes: the page shows how far it has come.
            with anyio.move_on_after(_BATCH_S if len(batch.writes) > 1 else None):
                await self._decide(decided)
        except JournalError as error:  # the button may count, though nobody could say so
            return trouble(error, "Whether the button counted shows when it answers again.", visit.root)
        except NotTheApprover as error:
            return PlainTextResponse(f"{error.message}. {error.hint}\n", 403)
        except FractionMcpError as error:
            logger.warning("%s: %s", write.id, error.message)
            return PlainTextResponse(f"{error.message}. {error.hint}\n", 502)
        changed = bool(after) and after[0].state is State.AWAITING and digest != await _digest(visit, after[0])
        return _back(visit, write, "changed" if changed else "decided", form)


async def _button_result(request: Request, visit: Visit) -> Result | None:
    """What the button did that led here; the address says only which write it was and why."""
    for name, prefix in _PREFIXES.items():
        write = await write_of(visit.service, request.query_params.get(name, ""))
        if write is not None:
            return await result_of(visit.service, write, prefix, visit.alive)
    return None


async def _digest(visit: Visit, write: Write) -> str:
    return (await visit.service.batch(write)).digest


def _back(visit: Visit, write: Write, effect: str, form: Mapping[str, str]) -> Response:
    """To where the button was, with what it did."""
    query = {effect: write.id, **View.read(form).query()}
    return RedirectResponse(f"{visit.root}?{urlencode(query)}", 303)


def trouble(error: JournalError, decided: str, root: str) -> Response:
    texts = {"message": error.message[:1].upper() + error.message[1:], "hint": error.hint, "decided": decided}
    return page("trouble.html", status=503, root=root, **texts)


def _writing_tools() -> list[str]:
    return sorted(name for name, spec in catalogue().items() if spec.effect.plans)
