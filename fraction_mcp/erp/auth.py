"""The two token lives: FractionERP's login, refresh and revocation, and Fracttal's client credentials.

Both hand out a token that is good now, and are told when one was refused. Signing in and renewing are single-flight:
FractionERP's refresh revokes the token that it renews (`fractionerp-rest-api.txt`), so two at once would lock one of
the callers out.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

import anyio
from pydantic import SecretStr

from fraction_mcp import errors
from fraction_mcp.erp.endpoints import LOGIN, REFRESH, TOKEN, Endpoint
from fraction_mcp.erp.records import Token
from fraction_mcp.erp.wire import Answer, encode

__all__ = ["Exchange", "FractionSignIn", "FracttalSignIn", "SignIn"]

_MARGIN = timedelta(minutes=5)  # a token is renewed this long before it expires, or in the last tenth of a short life
_LONGEST_LIFE_S = 366 * 86_400  # a longer life is as good as none
_REFUSED_FOR = timedelta(seconds=30)  # wrong credentials are not tried again sooner: accounts get locked that way


class Exchange(Protocol):
    """One request of the sign-in itself, as the client sends it: with these headers and this body."""

    def __call__(
        self, endpoint: Endpoint, *, headers: Mapping[str, str], content: bytes | None
    ) -> Awaitable[Answer]: ...


@dataclass(frozen=True, slots=True)
class _Held:
    """A token in hand, and when to let go of it. The ERP's clock may differ from ours: `renew_at` is only a plan."""

    token: SecretStr
    renew_at: datetime | None
    expires_at: datetime | None


class SignIn:
    """A token on demand. Subclasses say how one is obtained and renewed."""

    def __init__(self, exchange: Exchange, clock: Callable[[], datetime], account: str) -> None:
        self.account = account
        self._exchange = exchange
        self._clock = clock
        self._lock = anyio.Lock()
        self._held: _Held | None = None
        self._refused: tuple[datetime, errors.ErpRejected] | None = None
        self.user: dict[str, Any] | None = None
        self.company: dict[str, Any] | None = None

    @property
    def signed_in(self) -> bool:
        return self._held is not None

    @property
    def held(self) -> str:
        """The token in hand, good or not; empty where there is none."""
        return self._held.token.get_secret_value() if self._held else ""

    def forget(self) -> None:
        self._held = None

    async def token(self, *, rejected: str = "") -> str:
        """A token that is good now. `rejected` is one that the ERP has just refused.

        Raises ErpError where none can be had; wrong credentials are remembered for a while.
        """
        if held := self._usable(rejected):
            return held
        async with self._lock:
            # Whoever was first through the lock has done it for all who waited.
            if held := self._usable(rejected):
                return held
            self._held = await self._next(rejected)
            return self._held.token.get_secret_value()

    def _usable(self, rejected: str) -> str:
        held = self._held
        if held is None or (held.renew_at is not None and self._clock() >= held.renew_at):
            return ""
        token = held.token.get_secret_value()
        return token if token != rejected else ""

    async def _next(self, rejected: str) -> _Held:
        held = self._held
        if held is not None and held.token.get_secret_value() != rejected:
            try:
                return await self._renew(held.token.get_secret_value())
            except errors.NotAuthenticated:
                pass  # it was revoked or has run out meanwhile: sign in
            except errors.ErpError:
                if held.expires_at is None or self._clock() >= held.expires_at:
                    raise
                return held  # it could not be renewed yet, and is good for a while
        self._held = None
        now = self._clock()
        if self._refused is not None and now - self._refused[0] < _REFUSED_FOR:
            raise self._refused[1].with_traceback(None)
        try:
            return await self._obtain()
        except (errors.NotAuthenticated, errors.AccountInactive) as error:
            self._refused = (now, error)
            raise

    async def _obtain(self) -> _Held:
        raise NotImplementedError

    async def _renew(self, token: str) -> _Held:
        raise NotImplementedError

    def _hold(self, token: Token, expires_at: datetime | None) -> _Held:
        self.user = token.user or self.user
        self.company = token.tenant or self.company
        now = self._clock()
        # A token that is past its time on arrival tells of two clocks that disagree: then only a 401 tells the end.
        life = expires_at - now if expires_at is not None and expires_at > now else None
        renew_at = None if life is None else now + life - min(_MARGIN, life / 10)
        return _Held(SecretStr(token.access_token), renew_at, None if life is None else expires_at)


class FractionSignIn(SignIn):
    """FractionERP: e-mail and password for a token with an end; a refresh gives a new one and revokes the old."""

    def __init__(self, exchange: Exchange, clock: Callable[[], datetime], *, email: str, password: SecretStr) -> None:
        super().__init__(exchange, clock, email)
        self._password = password

    async def _obtain(self) -> _Held:
        body = encode({"email": self.account, "password": self._password.get_secret_value()}).encode()
        return self._read(await self._exchange(LOGIN, headers=_JSON, content=body))

    async def _renew(self, token: str) -> _Held:
        headers = {**_JSON, "Authorization": f"Bearer {token}"}
        return self._read(await self._exchange(REFRESH, headers=headers, content=None))

    def _read(self, answer: Answer) -> _Held:
        token = answer.read(Token)
        return self._hold(token, _instant(token.expires_at))


class FracttalSignIn(SignIn):
    """Fracttal: OAuth 2.0 client credentials (RFC 6749, 4.4) as HTTP Basic; renewing is asking again."""

    def __init__(
        self, exchange: Exchange, clock: Callable[[], datetime], *, client_id: str, client_secret: SecretStr
    ) -> None:
        super().__init__(exchange, clock, client_id)
        self._client_secret = client_secret

    async def _obtain(self) -> _Held:
        pair = f"{self.account}:{self._client_secret.get_secret_value()}".encode()
        headers = {
            "Authorization": "Basic " + base64.b64encode(pair).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = urlencode({"grant_type": "client_credentials"}).encode()
        token = (await self._exchange(TOKEN, headers=headers, content=form)).read(Token)
        life = None if token.expires_in is None else timedelta(seconds=min(token.expires_in, _LONGEST_LIFE_S))
        return self._hold(token, None if life is None else self._clock() + life)

    async def _renew(self, token: str) -> _Held:  # noqa: ARG002 - the next token does not depend on the last
        return await self._obtain()


_JSON = {"Content-Type": "application/json"}


def _instant(text: str) -> datetime | None:
    """`expires_at` with its offset; one without is taken as UTC, and one that is no time as not known."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
