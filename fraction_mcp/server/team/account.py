"""The account page: who is signed in, which clients they have allowed, and a button to end each; and signing out."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fraction_mcp.approvals.web import read_form
from fraction_mcp.server.team.browser import Browsers, Signed
from fraction_mcp.server.team.shown import Shown
from fraction_mcp.server.team.store import Grant, TeamStore

__all__ = ["AccountPage"]

_STALE = "The page was out of date. Nothing was done: try again."
_ENDED = "It may do nothing in your name any more."


@dataclass(frozen=True, slots=True)
class _Allowed:
    """A grant as its person reads it. `host` is where the client's own description stands; empty where it registered
    itself, and then `client_id` is all that is known of it for certain."""

    id: str
    host: str
    client_id: str
    writes: bool


class AccountPage:
    """`GET` and `POST /account`, `GET` and `POST /sign-out`."""

    def __init__(self, browsers: Browsers, store: TeamStore, shown: Shown) -> None:
        self._browsers = browsers
        self._store = store
        self._shown = shown

    async def look(self, request: Request) -> Response:
        signed = await self._browsers.current(request)
        if signed is None:
            return _to_sign_in()
        return await self._page(signed, message=_ENDED if "ended" in request.query_params else "")

    async def revoke(self, request: Request) -> Response:
        """One grant ends; of another person's none does, whatever its id."""
        signed = await self._browsers.current(request)
        if signed is None:
            return _to_sign_in()
        form = await read_form(request)
        if not signed.is_own(form.get("csrf", "")):
            return await self._page(signed, status=403, message=_STALE)
        for grant in await self._store.grants_of(signed.subject):
            if grant.id == form.get("grant"):
                await self._store.revoke(grant.id)
        return RedirectResponse("/account?ended", 303)

    async def leave(self, request: Request) -> Response:
        return self._leaving(await self._browsers.current(request))

    async def sign_out(self, request: Request) -> Response:
        signed = await self._browsers.current(request)
        if signed is not None and not signed.is_own((await read_form(request)).get("csrf", "")):
            return self._leaving(signed, status=403, message=_STALE)
        response = RedirectResponse("/sign-out", 303)
        await self._browsers.end(request, response)
        return response

    async def _page(self, signed: Signed, *, status: int = 200, message: str = "") -> Response:
        allowed = [_allowed(grant) for grant in await self._store.grants_of(signed.subject)]
        return self._shown.page(
            "account.html", status=status, told=message, person=signed, allowed=allowed, csrf=signed.csrf
        )

    def _leaving(self, signed: Signed | None, *, status: int = 200, message: str = "") -> Response:
        return self._shown.page("sign_out.html", status=status, told=message, person=signed)


def _allowed(grant: Grant) -> _Allowed:
    host = urlsplit(grant.client_id).hostname if grant.client_id.startswith("https://") else ""
    return _Allowed(grant.id, host or "", grant.client_id, "erp:write" in grant.scopes)


def _to_sign_in() -> Response:
    return RedirectResponse("/sign-in?next=/account", 303)
