"""One ERP over HTTP: connections, time-outs, retries of reads, the rate budget. The only importer of httpx.

What a request is and what an answer means is `wire`'s; this module moves bytes and decides whether to move them again.
A read is tried again after a connection failure, a 500/502/503/504, or a 429 that ends soon. A write is sent once, with
a last look by its caller before the first byte: what happened to it is told by one of three errors (nothing was sent,
refused, unknown) and left to the caller.
"""

import logging
import os
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import anyio
import httpx
from pydantic import SecretStr
from starlette.types import ASGIApp

from fraction_mcp import __version__, errors
from fraction_mcp.config import Settings, stays_here
from fraction_mcp.erp import Connection, tally
from fraction_mcp.erp.allowance import Allowance
from fraction_mcp.erp.auth import (
    ErpSession,
    Exchange,
    FractionSignIn,
    FracttalSignIn,
    KeptSignIn,
    SessionKeeper,
    SignIn,
)
from fraction_mcp.erp.body import ENCODINGS, received
from fraction_mcp.erp.budget import budget
from fraction_mcp.erp.causes import cause_of
from fraction_mcp.erp.decipher import decipher
from fraction_mcp.erp.endpoints import LOGOUT, REFRESH, TOKEN, Endpoint, System
from fraction_mcp.erp.observed import observed
from fraction_mcp.erp.request import Request, build
from fraction_mcp.erp.response import ErpAnswer, Response
from fraction_mcp.erp.tries import tries

__all__ = ["ErpClient", "fraction_client", "fracttal_client"]

logger = logging.getLogger(__name__)

_FIRST_DELAY_S = 0.2
_LONGEST_WAIT_S = 5.0  # a 429 that ends later than this becomes an error with the seconds to wait
_AT_ONCE = 8
_SIGN_OUT_S = 2.0
_ROOTS = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # where httpx looks for other roots than its own

# Nothing was sent: no connection, no TLS, no place in the pool (httpx's own distinction).
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class ErpClient:
    """One ERP, signed in at the first call. Use it from one event loop; close it with `aclose`."""

    def __init__(
        self,
        system: System,
        base_url: str,
        *,
        sign_in: Callable[[Exchange, Callable[[], datetime]], SignIn],
        timeout_s: float,
        token_url: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.system = system
        self.base_url = base_url
        self.sign_in = sign_in(self._sign_in_exchange, clock)
        self._token_url = token_url
        self._timeout_s = timeout_s
        self._transport = transport
        self._clock = clock
        self._sleep = sleep
        self._gate = anyio.CapacityLimiter(_AT_ONCE)
        self._write_gate = anyio.CapacityLimiter(_AT_ONCE)  # its own: a write does not wait behind slow reads
        self._allowance = Allowance(clock)
        needs_tls = base_url.startswith("https:") or token_url.startswith("https:")
        self._verify = _trusted(*map(os.environ.get, _ROOTS)) if needs_tls and transport is None else False
        self._reads = self._http(keepalive=_AT_ONCE)
        # A write never goes out on an idle connection: one that the other side has just closed would make a write
        # that nobody received look like one whose answer was lost.
        self._writes = self._http(keepalive=0)

    def _http(self, *, keepalive: int) -> httpx.AsyncClient:
        """Raises ConfigError where the environment's proxies cannot be used; `config` has looked at them before."""
        try:
            return self._made_http(keepalive)
        except (ValueError, ImportError, httpx.InvalidURL):  # whose own words may show the proxy's password
            names = "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY or NO_PROXY"
            raise errors.ConfigError(f"{names} in the environment (or the system's own setting) is unusable") from None

    def _made_http(self, keepalive: int) -> httpx.AsyncClient:
        connect_s = min(10.0, self._timeout_s * 0.8)  # so that a slow connect is told apart from a slow answer
        addresses = [url for url in (self.base_url, self._token_url) if url]
        here = [url for url in addresses if stays_here(url)]
        return httpx.AsyncClient(
            transport=self._transport,
            trust_env=here != addresses,
            mounts=dict.fromkeys(f"all://{httpx.URL(url).netloc.decode()}" for url in here),  # past every proxy
            verify=self._verify,
            timeout=httpx.Timeout(self._timeout_s, connect=connect_s, pool=connect_s),
            limits=httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=keepalive, keepalive_expiry=30),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": ENCODINGS,
                "User-Agent": f"fraction-mcp/{__version__}",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none is documented: none is kept or sent
            follow_redirects=False,  # a token goes to the configured host and nowhere else
        )

    async def aclose(self) -> None:
        """Revoke the token if there is one (briefly, and not at any price), and close the connections."""
        held = self.sign_in.held
        if held and self.system is System.FRACTIONERP:
            with anyio.move_on_after(_SIGN_OUT_S, shield=True), suppress(errors.ErpError):
                headers = {"Authorization": f"Bearer {held}"}
                await self._exchange(LOGOUT, Request(LOGOUT.method, LOGOUT.path, None), headers)
        self.sign_in.forget()
        with anyio.CancelScope(shield=True):
            await self._reads.aclose()
            await self._writes.aclose()

    def connection(self) -> Connection:
        sign_in = self.sign_in
        return Connection(
            self.base_url, sign_in.account, sign_in.signed_in, sign_in.user, sign_in.company, self._allowance.told
        )

    async def call(
        self,
        endpoint: Endpoint,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        fresh: bool = False,  # noqa: ARG002 - nothing is remembered here; see cache.py
        before_send: Callable[[], Awaitable[None]] | None = None,
    ) -> ErpAnswer:
        """Send one request and decipher its answer; see `Erp.call`.

        A 401 signs in once more, and once only. For a write `wire` raises NotAuthenticated only where the ERP's own
        envelope proves that nothing ran.
        """
        request = build(endpoint, path, query, body)
        start = int((query or {}).get("start", 0))
        token = await self.sign_in.token()
        try:
            return await self._send(endpoint, request, token, start, before_send)
        except errors.NotAuthenticated:
            token = await self.sign_in.token(rejected=token)
            return await self._send(endpoint, request, token, start, before_send)

    @property
    def writes(self) -> int:
        """It counts none: the memory in front of it does."""
        return 0

    def seen(self, endpoint: Endpoint, field: str, text: str) -> None:
        """See `Erp.seen`. Nothing is remembered here; see cache.py."""

    async def ready(self) -> None:
        await self.sign_in.token()

    async def _send(
        self,
        endpoint: Endpoint,
        request: Request,
        token: str,
        start: int,
        before_send: Callable[[], Awaitable[None]] | None,
    ) -> ErpAnswer:
        headers = {"Authorization": f"Bearer {token}"}
        if request.content is not None:
            headers["Content-Type"] = "application/json"
        if not endpoint.writes:
            return await self._persist(endpoint, request, headers, start)
        async with self._turn(endpoint), self._allowance.one(endpoint):
            if before_send is not None:
                await before_send()
            return await self._exchange(endpoint, request, headers)

    @asynccontextmanager
    async def _read_turn(self, endpoint: Endpoint) -> AsyncIterator[None]:
        async with self._gate, self._allowance.one(endpoint):
            yield

    @asynccontextmanager
    async def _turn(self, endpoint: Endpoint) -> AsyncIterator[None]:
        """A write's place among the writes, waited for no longer than a request may take."""
        try:
            with anyio.fail_after(self._timeout_s):
                await self._write_gate.acquire()
        except TimeoutError as error:
            raise self._failed(errors.ErpUnreachable, endpoint, "had too many writes under way") from error
        try:
            yield
        finally:
            self._write_gate.release()

    async def _sign_in_exchange(
        self, endpoint: Endpoint, *, headers: Mapping[str, str], content: bytes | None
    ) -> ErpAnswer:
        """A request of the sign-in itself: no token is asked for. See `auth.Exchange`."""
        request = Request(endpoint.method, endpoint.path, content)
        if endpoint is REFRESH:  # where it fails, signing in does as well, and is tried again if need be
            return await self._exchange(endpoint, request, headers)
        return await self._persist(endpoint, request, headers)

    async def _persist(
        self, endpoint: Endpoint, request: Request, headers: Mapping[str, str], start: int = 0
    ) -> ErpAnswer:
        """The exchange, repeated for a read while that may help: back-off doubles, with full jitter."""
        most = tries()
        for attempt in range(1, most + 1):
            try:
                return await self._exchange(endpoint, request, headers, start)
            except errors.ErpError as error:
                wait_s = _worth_another(error, attempt)
                if wait_s is None or attempt == most:
                    raise
                logger.info("%s: %s; trying again in %.1f s", self.system.label, error.message, wait_s)
            await self._sleep(wait_s)
        raise AssertionError("unreachable")  # pragma: no cover

    async def _exchange(
        self, endpoint: Endpoint, request: Request, headers: Mapping[str, str], start: int = 0
    ) -> ErpAnswer:
        """One request, one answer, one error. The whole of it is bounded in time, however slowly bytes drip."""
        http = self._writes if endpoint.writes else self._reads
        turn: AbstractAsyncContextManager[None] = nullcontext() if endpoint.writes else self._read_turn(endpoint)
        url = self._token_url if endpoint is TOKEN else self.base_url + request.target
        try:
            async with turn:
                with observed(self.system, endpoint) as exchange, anyio.fail_after(self._timeout_s):
                    asked_at = self._clock()
                    tally.sent()
                    stream = http.stream(request.method, url, headers=dict(headers), content=request.content)
                    async with stream as answer:
                        exchange.status = answer.status_code
                        exchange.budget = budget(self.system, answer.headers, self._clock())
                        if endpoint.is_for_work or answer.status_code != 429:  # too many sign-ins are another matter
                            self._allowance.tell(exchange.budget)
                        content, flaw = await received(answer.headers, answer.aiter_raw())
        except _NOT_SENT as error:
            what = f"could not be reached ({urlsplit(url).hostname}: {cause_of(error)})"
            raise self._failed(errors.ErpUnreachable, endpoint, what) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            late = f"did not answer within {self._timeout_s:g} seconds"
            raise self._failed(errors.ErpTimedOut, endpoint, late) from error
        except httpx.HTTPError as error:
            raise self._failed(errors.ErpBroken, endpoint, "broke the connection off") from error
        took_ms = exchange.seconds * 1000
        logger.debug("%s %s %s -> %d, %.0f ms", self.system, request.method, endpoint.path, answer.status_code, took_ms)
        try:
            return decipher(endpoint, Response(answer.status_code, answer.headers, content, asked_at, start, flaw))
        except errors.ErpError as error:
            tally.refused(error.request_id)
            raise

    def _failed(self, kind: type[errors.ErpError], endpoint: Endpoint, what: str) -> errors.ErpError:
        """No answer came. After a write that may have left, that is all anybody knows."""
        message = f"{self.system.label} {what}, asked to {endpoint.name}"
        if kind is errors.ErpUnreachable:
            message += "; nothing was sent"
        elif endpoint.writes:
            kind, message = errors.ErpOutcomeUnknown, f"{message}; it may have been written"
        hint = "" if endpoint.writes else "Try again in a moment."
        return kind(message, system=self.system, operation=endpoint.name, hint=hint)


def _worth_another(error: errors.ErpError, attempt: int) -> float | None:
    """Seconds to wait before trying a read again, None where that would not help. A time-out has cost enough."""
    if isinstance(error, errors.RateLimited | errors.BudgetSpent):
        wait_s = error.retry_after_s
        return wait_s + random.uniform(0, 0.2) if wait_s is not None and wait_s <= _LONGEST_WAIT_S else None  # noqa: S311 - jitter
    if isinstance(error, errors.ErpTimedOut):
        return None
    passing = isinstance(error, errors.ErpUnreachable) or (
        isinstance(error, errors.ErpBroken) and error.status in {None, 500, 502, 503, 504}
    )
    return random.uniform(0, _FIRST_DELAY_S * 2**attempt) if passing else None  # noqa: S311 - jitter


def _moments(clock: Callable[[], float]) -> Callable[[], datetime]:
    return lambda: datetime.fromtimestamp(clock(), UTC)


def fraction_client(
    settings: Settings, app: ASGIApp | None = None, clock: Callable[[], float] = time.time
) -> ErpClient:
    """FractionERP, from the settings. `app` stands in the network's place: the embedded ERPs, without a port."""
    return ErpClient(
        System.FRACTIONERP,
        settings.fraction_base_url,
        sign_in=partial(FractionSignIn, email=settings.fraction_email, password=settings.fraction_password),
        timeout_s=settings.timeout_s,
        transport=_transport(app),
        clock=_moments(clock),
    )


def colleague_client(
    settings: Settings,
    account: str,
    keeper: SessionKeeper,
    app: ASGIApp | None = None,
    clock: Callable[[], float] = time.time,
) -> ErpClient:
    """FractionERP as one person of a team, by the token that is kept for them; see `fraction_client`."""
    return ErpClient(
        System.FRACTIONERP,
        settings.fraction_base_url,
        sign_in=partial(KeptSignIn, account=account, keeper=keeper),
        timeout_s=settings.timeout_s,
        transport=_transport(app),
        clock=_moments(clock),
    )


async def sign_in_to_fraction(
    settings: Settings, email: str, password: SecretStr, app: ASGIApp | None = None
) -> ErpSession:
    """A person's own sign-in, for whoever keeps its token and forgets the password; the account is as the ERP spells
    it, which may take several spellings for one. Raises ErpError."""
    client = fraction_client(settings.model_copy(update={"fraction_email": email, "fraction_password": password}), app)
    sign_in = client.sign_in
    try:
        await client.ready()
        session = sign_in.session if isinstance(sign_in, FractionSignIn) else None
    finally:
        sign_in.forget()  # else closing the client would revoke it
        await client.aclose()
    if session is None:  # pragma: no cover - `ready` has raised, or there is one
        raise AssertionError("signed in without a token")
    return replace(session, account=session.own_spelling)


def fracttal_client(
    settings: Settings, app: ASGIApp | None = None, clock: Callable[[], float] = time.time
) -> ErpClient:
    """Fracttal, from the settings; see `fraction_client`."""
    return ErpClient(
        System.FRACTTAL,
        settings.fracttal_base_url,
        sign_in=partial(
            FracttalSignIn, client_id=settings.fracttal_client_id, client_secret=settings.fracttal_client_secret
        ),
        token_url=settings.fracttal_token_url,
        timeout_s=settings.timeout_s,
        transport=_transport(app),
        clock=_moments(clock),
    )


@lru_cache(maxsize=1)
def _trusted(*_named: str | None) -> ssl.SSLContext:
    """The trusted roots: they take a fortieth of a second to load, and most of a megabyte, so that all the people of a
    team share them. They hold nothing of a connection, and none is resumed by them."""
    return httpx.create_ssl_context()


def _transport(app: ASGIApp | None) -> httpx.AsyncBaseTransport | None:
    # An exception inside the application is a server's failure, as it would be over a network.
    return None if app is None else httpx.ASGITransport(app, raise_app_exceptions=False)
