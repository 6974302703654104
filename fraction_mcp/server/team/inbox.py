"""The inbox of the team, at /approvals: the pages of one desk's, for whoever has signed in in this browser.

Each sees what they asked for, and what they are named as an approver of.
"""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

import anyio
from anyio.abc import TaskGroup
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from fraction_mcp.approvals.serving import to_its_end
from fraction_mcp.approvals.writes_pages import Visit, WritePages
from fraction_mcp.server.team.browser import Browsers
from fraction_mcp.server.team.people import People, Person

__all__ = ["INBOX", "inbox_routes"]

INBOX = "/approvals"


def inbox_routes(
    people: People,
    browsers: Browsers,
    decisions: TaskGroup,
    closing: anyio.Event,
    guard: Sequence[Middleware],
) -> list[BaseRoute]:
    """`guard` stands before each page. What is decided is carried out in `decisions`, whatever becomes of the browser;
    `closing` ends the streams."""

    async def visit(request: Request) -> Visit:
        signed = await browsers.current(request)
        if signed is None:
            raise _sign_in_first(request)
        runtime = await people.of(Person(signed.subject, signed.name))
        return Visit(await runtime.write_service(), signed.name, f"{INBOX}/", signed.csrf, account=signed.subject)

    async def decide(work: Callable[[], Awaitable[None]]) -> None:
        await to_its_end(decisions, work)

    async def redirect_to_write(request: Request) -> Response:
        """The address that a client is given for a write."""
        return RedirectResponse(f"{INBOX}/?write={quote(request.path_params['id'])}", 303)

    async def with_its_slash(_: Request) -> Response:
        """The address as it is told and typed."""
        return RedirectResponse(f"{INBOX}/", 303)

    pages = WritePages(visit, decide, closing)
    return [
        Route(INBOX, with_its_slash, methods=["GET"], middleware=guard),
        Route(f"{INBOX}/writes/{{id}}", redirect_to_write, methods=["GET"], middleware=guard),
        Mount(INBOX, routes=pages.routes, middleware=guard),
    ]


def _sign_in_first(request: Request) -> HTTPException:
    """A page leads to the sign-in and back; what a page's script asks for, or a form sends, is refused."""
    if request.method not in {"GET", "HEAD"} or not request.url.path.rstrip("/").endswith(INBOX):
        return HTTPException(403, "Nobody is signed in here. Nothing was decided.")
    place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return HTTPException(303, headers={"location": f"/sign-in?next={quote(place, safe='')}"})
