"""FractionERP's front door: sign-in, budget, permissions, and which handler a request goes to.

Knows the order in which a request is refused. Refuses to know what a record looks like.
"""

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import State
from starlette.types import Receive, Scope, Send

from fraction_mcp.sandbox.accounts import ACCOUNTS, Account
from fraction_mcp.sandbox.fields import Fields
from fraction_mcp.sandbox.http import Reply, Request, Route, find, route, serve
from fraction_mcp.sandbox.jsontext import Json
from fraction_mcp.sandbox.limits import Budget, Counter
from fraction_mcp.sandbox.store import Store

from . import reads, writes
from .envelope import Refusal, failure, invalid, json_object, success
from .kinds import KINDS, Kind

SYSTEM: Final = "fraction"
_SEGMENTS: Final = 3


@dataclass(frozen=True, slots=True)
class Call:
    """A request of somebody who has signed in."""

    request: Request
    account: Account
    token: str
    id: str

    def body(self) -> dict[str, Json]:
        return json_object(self.request.body, is_json=self.request.is_json())


Handler = Callable[[Call], Reply]


class FractionApp:
    def __init__(self, store: Store, settings: State) -> None:
        self.counter = Counter(3600)
        self._store = store
        self._settings = settings
        self._routes = self._auth_routes() + self._data_routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await serve(scope, receive, send, skip=_SEGMENTS, answer=self.answer)

    def answer(self, request: Request) -> Reply:
        try:
            if request.method == "POST" and request.segments == ("auth", "login"):
                return self._login(request)
            matched_route = find(self._routes, request.method, request.segments)
            if isinstance(matched_route, list):
                return _no_route(request, matched_route)
            token, account = self._authenticate(request)
        except Refusal as refusal:
            return refusal.reply()
        budget = self.counter.count(account.email, int(self._settings.fraction_limit_per_hour))
        call = Call(request, account, token, matched_route.params.get("id", ""))
        try:
            _permit(call, budget)
            reply = matched_route.handler(call)
        except Refusal as refusal:
            reply = refusal.reply()
        except Exception:
            logging.getLogger(__name__).exception("%s %s", request.method, "/".join(request.segments))
            reply = Refusal("SERVER_ERROR", "Internal server error.").reply()
        return Reply(reply.status, reply.body, {**reply.headers, **_budget_headers(budget)})

    def _auth_routes(self) -> list[Route[Handler]]:
        return [
            route("POST", "auth/logout", self._logout),
            route("GET", "auth/me", self._me),
            route("POST", "auth/refresh", self._refresh),
        ]

    def _data_routes(self) -> list[Route[Handler]]:
        store = self._store
        routes: list[Route[Handler]] = []
        for segment, kind in KINDS.items():
            routes.append(route("GET", segment, _lister(store, kind)))
            routes.append(route("GET", f"{segment}/{{id}}", _getter(store, kind)))
        contacts, prices = "customers/{id}/contacts", "parts/{id}/price-lists"
        return [
            *routes,
            route("GET", contacts, lambda call: reads.list_contacts(store, call.id, call.request.query)),
            route("POST", contacts, lambda call: writes.create_contact(store, call.id, call.body())),
            route("POST", "parts", lambda call: writes.create_part(store, call.body())),
            route("GET", prices, lambda call: reads.get_price_lists(store, call.id, call.request.query)),
            route("PUT", prices, lambda call: writes.put_price_list(store, call.id, call.body())),
            route("POST", "contracts", lambda call: writes.create_enquiry(store, call.body())),
        ]

    def _login(self, request: Request) -> Reply:
        fields = Fields(json_object(request.body, is_json=request.is_json()))
        email = fields.needed_text("email")
        password = fields.needed_text("password")
        if fields.errors:
            raise invalid(*fields.errors)
        for account in ACCOUNTS:
            if account.email.casefold() == email.casefold() and account.password == password:
                if not account.active:
                    raise Refusal("ACCOUNT_INACTIVE", "Tenant account is inactive.")
                return self._issue(account)
        raise Refusal("INVALID_CREDENTIALS", "Invalid credentials.")

    def _issue(self, account: Account) -> Reply:
        token, expires_at = self._store.issue_token(SYSTEM, account.email, float(self._settings.token_lifetime_s))
        return success(
            {
                "token_type": "Bearer",
                "access_token": token,
                "expires_at": dt.datetime.fromtimestamp(int(expires_at), dt.UTC).isoformat(),
                "user": account.user(),
                "tenant": account.tenant(),
            }
        )

    def _authenticate(self, request: Request) -> tuple[str, Account]:
        token = request.bearer()
        owner = token and self._store.token_owner(SYSTEM, token)
        for account in ACCOUNTS:
            if token and account.email == owner:
                return token, account
        raise Refusal("UNAUTHORIZED", "Missing or invalid authentication token.")

    def _logout(self, call: Call) -> Reply:
        self._store.revoke_token(call.token)
        return success({"message": "Logged out."})

    def _me(self, call: Call) -> Reply:
        return success({"user": call.account.user(), "tenant": call.account.tenant()})

    def _refresh(self, call: Call) -> Reply:
        if not self._store.revoke_token(call.token):
            # Another process was quicker: its answer holds the only token that counts.
            raise Refusal("UNAUTHORIZED", "Missing or invalid authentication token.")
        return self._issue(call.account)


def _lister(store: Store, kind: Kind) -> Handler:
    return lambda call: reads.list_records(store, kind, call.request.query)


def _getter(store: Store, kind: Kind) -> Handler:
    return lambda call: reads.get_record(store, kind, call.id)


def _permit(call: Call, budget: Budget) -> None:
    if budget.exceeded:
        raise Refusal("RATE_LIMIT_EXCEEDED", "Too many requests, please wait.")
    if call.request.segments[0] == "auth":
        return
    if call.account.restricted:
        raise Refusal("PLAN_RESTRICTED", "API access requires Pro or Moulding plan.")
    if call.account.read_only and call.request.method != "GET":
        raise Refusal("FORBIDDEN", "Access denied.")


def _budget_headers(budget: Budget) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(budget.limit),
        "X-RateLimit-Remaining": str(budget.remaining),
        "X-RateLimit-Reset": str(budget.resets_at),
    }


def _no_route(request: Request, allowed: list[str]) -> Reply:
    if request.segments == ("auth", "login"):
        allowed = ["POST"]
    if not allowed:
        return Refusal("NOT_FOUND", "Resource not found.").reply()
    error = {"code": "METHOD_NOT_ALLOWED", "message": f"The {request.method} method is not supported here."}
    return Reply(405, failure([error]), {"Allow": ", ".join(sorted(set(allowed)))})
