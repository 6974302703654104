"""Fracttal's front door: OAuth tokens, the company's budget, and which handler a request goes to.

Knows that codes stand percent-encoded in paths, and may hold spaces and slashes.
"""

import base64
import binascii
import logging
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs, unquote_plus

from starlette.datastructures import State
from starlette.types import Receive, Scope, Send

from fraction_mcp.sandbox.accounts import CLIENTS, Client
from fraction_mcp.sandbox.http import Found, Reply, Request, Route, find, route, serve
from fraction_mcp.sandbox.limits import Budget, Counter
from fraction_mcp.sandbox.store import Store

from . import reads, writes
from .envelope import Refusal

SYSTEM: Final = "fracttal"
_SEGMENTS: Final = 1

Handler = Callable[[Request, str], Reply]


class FracttalApp:
    def __init__(self, store: Store, settings: State) -> None:
        self.counter = Counter(60)
        self._store = store
        self._settings = settings
        self._routes = _routes(store)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await serve(scope, receive, send, skip=_SEGMENTS, answer=self.answer)

    def answer(self, request: Request) -> Reply:
        try:
            return self._answer(request)
        except Refusal as refusal:
            return refusal.reply()

    def _answer(self, request: Request) -> Reply:
        if request.segments == ("oauth", "token"):
            return self._token(request)
        matched_route = find(self._routes, request.method, request.segments)
        if isinstance(matched_route, list):
            raise Refusal(405, "METHOD_NOT_ALLOWED") if matched_route else Refusal(404, "NOT_FOUND")
        client = self._authenticate(request)
        budget = self.counter.count(client.company, int(self._settings.fracttal_limit_per_minute))
        reply = self._handle(request, client, budget, matched_route)
        return Reply(reply.status, reply.body, _budget_headers(budget))

    def _handle(self, request: Request, client: Client, budget: Budget, matched_route: Found[Handler]) -> Reply:
        try:
            _permit(client, budget)
            return matched_route.handler(request, matched_route.params.get("code", ""))
        except Refusal as refusal:
            return refusal.reply()
        except Exception:
            logging.getLogger(__name__).exception("%s %s", request.method, "/".join(request.segments))
            return Refusal(500, "INTERNAL_SERVER_ERROR").reply()

    def _token(self, request: Request) -> Reply:
        if request.method != "POST":
            raise Refusal(405, "METHOD_NOT_ALLOWED")
        client = _client(request)
        if client is None:
            return Reply(401, {"error": "invalid_client"}, {"WWW-Authenticate": "Basic"})
        form = parse_qs(request.body.decode("utf-8", "replace"))
        if form.get("grant_type") != ["client_credentials"]:
            return Reply(400, {"error": "unsupported_grant_type"})
        lifetime = float(self._settings.fracttal_token_lifetime_s)
        token, _ = self._store.issue_token(SYSTEM, client.client_id, lifetime)
        return Reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": int(lifetime)})

    def _authenticate(self, request: Request) -> Client:
        token = request.bearer()
        owner = token and self._store.token_owner(SYSTEM, token)
        for client in CLIENTS:
            if client.client_id == owner:
                return client
        raise Refusal(401, "UNAUTHORIZED")


def _permit(client: Client, budget: Budget) -> None:
    if budget.exceeded:
        raise Refusal(406, "RATE_LIMIT_EXCEEDED")
    if not client.purchasing:
        raise Refusal(401, "UNAUTHORIZED_ENDPOINT")


def _routes(store: Store) -> list[Route[Handler]]:
    def get(pattern: str, handler: Handler) -> Route[Handler]:
        return route("GET", f"api/{pattern}", handler)

    create = "api/warehouse_purchase_orders/{code}"
    return [
        route("POST", create, lambda request, code: writes.create_order(store, code, request.body)),
        get("warehouse_purchase_orders", lambda request, _: reads.list_orders(store, request.query)),
        get("warehouses", lambda request, _: reads.list_warehouses(store, request.query)),
        get("warehouses/{code}", lambda _, code: reads.get_warehouse(store, code)),
        get("warehouses_items", lambda request, _: reads.list_stock(store, request.query)),
        get("items", lambda request, _: reads.list_items(store, request.query)),
        get("items/{code}", lambda _, code: reads.get_item(store, code)),
        get("third_parties", lambda request, _: reads.list_suppliers(store, request.query)),
    ]


def _client(request: Request) -> Client | None:
    """RFC 6749 has both words form-encoded before they are joined."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    credentials = (unquote_plus(name), unquote_plus(secret))
    for client in CLIENTS:
        if scheme.lower() == "basic" and credentials == (client.client_id, client.client_secret):
            return client
    return None


def _budget_headers(budget: Budget) -> dict[str, str]:
    return {
        "Request-Call-Limit": str(budget.limit),
        "Request-Call-Remaining": str(budget.remaining),
        "Request-Call-Reset": str(max(0, budget.resets_at - int(time.time()))),
    }
