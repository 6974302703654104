"""The two token lives: FractionERP's login, refresh and revocation, and Fracttal's client credentials.

Both hand out a token that is good now, and are told when one was refused. Signing in and renewing are single-flight:
FractionERP's refresh revokes the token that it renews (`fractionerp-rest-api.txt`), so two at once would lock one of
the callers out. Where renewing fails, however it fails, the way on is to sign in; and what goes wrong here is never
told as another operation's error.
"""

import base64
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

import anyio
from pydantic import SecretStr

from fraction_mcp import errors
from fraction_mcp.erp.endpoints import LOGIN, REFRESH, TOKEN, Endpoint, System
from fraction_mcp.erp.records import Token
from fraction_mcp.erp.request import encode
from fraction_mcp.erp.response import ErpAnswer
from fraction_mcp.values.text import clean

__all__ = ["ErpSession", "Exchange", "FractionSignIn", "FracttalSignIn", "KeptSignIn", "SessionKeeper", "SignIn"]

logger = logging.getLogger(__name__)

_MARGIN = timedelta(minutes=5)  # a token is renewed this long before it expires, or in the last tenth of a short life
_LONGEST_LIFE = timedelta(days=366)  # a longer one is as good as none
_SHORTEST_LIFE = timedelta(seconds=30)  # a shorter one tells of two clocks that disagree
_EMAIL = re.compile(r"[^\s@,]+@[^\s@,]+")
_LONGEST_EMAIL = 254
_REFUSED_FOR = timedelta(seconds=30)  # wrong credentials are not tried again sooner: accounts get locked that way
_AGAIN = timedelta(seconds=30)  # until a token that could not be renewed, and is still good, is tried again
_REFUSALS = (errors.NotAuthenticated, errors.AccountInactive, errors.PlanRestricted, errors.Forbidden)


class Exchange(Protocol):
    """One request of the sign-in itself, as the client sends it: with these headers and this body."""

    def __call__(
        self, endpoint: Endpoint, *, headers: Mapping[str, str], content: bytes | None
    ) -> Awaitable[ErpAnswer]: ...


@dataclass(frozen=True, slots=True)
class _Held:
    """A token in hand, and when to let go of it. The ERP's clock may differ from ours: `renew_at` is only a plan."""

    token: SecretStr
    renew_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class ErpSession:
    """What a sign-in with FractionERP gave: a token, whose it is, and when to renew it and to let go of it (unix
    seconds; None where it is not known). `version` counts the tokens that a keeper has had for this account."""

    account: str
    token: SecretStr
    renew_at: float | None = None
    expires_at: float | None = None
    user: dict[str, Any] | None = None
    company: dict[str, Any] | None = None
    version: int = 0

    @property
    def name(self) -> str:
        """What people read."""
        user_name = (self.user or {}).get("name")
        return clean(user_name, 120) if isinstance(user_name, str) and user_name.strip() else self.account

    @property
    def own_spelling(self) -> str:
        """The account as the ERP has it, where it says so: not as somebody typed it."""
        email = (self.user or {}).get("email")
        is_one = isinstance(email, str) and _EMAIL.fullmatch(email) and clean(email, _LONGEST_EMAIL) == email
        return str(email) if is_one else self.account


class SessionKeeper(Protocol):
    """Where one account's token is kept for all processes that work for it. The password is nowhere."""

    async def session(self) -> ErpSession | None:
        """What is kept now; None where the sign-in has ended."""
        ...

    async def renewed(self, session: ErpSession, renew: Callable[[ErpSession], Awaitable[ErpSession]]) -> ErpSession:
        """The session after this one: made by `renew` in one process alone, since renewing revokes, and awaited by the
        others. Raises what `renew` raises."""
        ...

    async def ended(self, session: ErpSession) -> ErpSession | None:
        """The ERP no longer takes this token: it is kept no more, and the person must sign in again. Unless another
        process was renewing it, which revokes it: then what that has made of it."""
        ...


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
        if held is None or held.token.get_secret_value() == rejected:
            self._held = None
            return await self._signed_in()
        try:
            return await self._renew(held.token.get_secret_value())
        except errors.ErpError as error:  # it was revoked or has run out meanwhile, or renewing does not work
            logger.info("renewing the sign-in failed: %s; signing in anew", error.message)
        try:
            return await self._signed_in()
        except errors.ErpError as error:
            now = self._clock()
            if isinstance(error, _REFUSALS) or held.expires_at is None or now >= held.expires_at:
                self._held = None
                raise
            return replace(held, renew_at=now + _AGAIN)  # good for a while yet

    async def _signed_in(self) -> _Held:
        now = self._clock()
        if self._refused is not None and now - self._refused[0] < _REFUSED_FOR:
            raise self._refused[1].with_traceback(None)
        try:
            return await self._obtain()
        except errors.ErpRejected as error:
            refusal = _as_sign_in(error)
            if isinstance(refusal, _REFUSALS):
                self._refused = (now, refusal)
            raise refusal from error

    async def _obtain(self) -> _Held:
        raise NotImplementedError

    async def _renew(self, token: str) -> _Held:
        raise NotImplementedError

    def _hold(self, token: Token, expires_at: datetime | None) -> _Held:
        self.user = token.user or self.user
        self.company = token.tenant or self.company
        now = self._clock()
        # Of a token that is past its time on arrival, or soon will be, only a 401 tells the end.
        life = None if expires_at is None else min(expires_at - now, _LONGEST_LIFE)
        if life is None or life < _SHORTEST_LIFE:
            return _Held(SecretStr(token.access_token), None, None)
        return _Held(SecretStr(token.access_token), now + life - min(_MARGIN, life / 10), now + life)


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

    def _read(self, answer: ErpAnswer) -> _Held:
        token = answer.read(Token)
        return self._hold(token, _instant(token.expires_at))

    @property
    def session(self) -> "ErpSession | None":
        """What is in hand, for whoever keeps it for other processes."""
        return self._session_of(self._held) if self._held else None

    def _session_of(self, held: _Held) -> "ErpSession":
        renew_at, expires_at = (None if at is None else at.timestamp() for at in (held.renew_at, held.expires_at))
        return ErpSession(self.account, held.token, renew_at, expires_at, self.user, self.company)


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
        life = None if token.expires_in is None else timedelta(seconds=token.expires_in)
        return self._hold(token, None if life is None else self._clock() + life)

    async def _renew(self, token: str) -> _Held:  # noqa: ARG002 - the next token does not depend on the last
        return await self._obtain()


class KeptSignIn(FractionSignIn):
    """FractionERP for a person who signed in somewhere else: by the token that is kept for them, and nothing more.

    Where the ERP takes it no longer, only the person can help. Ending the process ends no sign-in: others go on.
    """

    def __init__(
        self, exchange: Exchange, clock: Callable[[], datetime], *, account: str, keeper: SessionKeeper
    ) -> None:
        super().__init__(exchange, clock, email=account, password=SecretStr(""))
        self._keeper = keeper

    @property
    def held(self) -> str:
        """Nothing that this process may revoke: others go on with it."""
        return ""

    async def _next(self, rejected: str) -> _Held:
        session = await self._keeper.session()
        if session is not None and session.token.get_secret_value() == rejected:
            session = await self._keeper.ended(session)
        if session is None:
            self._held = None
            raise _ended()
        held = self._taken(session)
        if held.renew_at is None or self._clock() < held.renew_at:
            return held
        try:
            return self._taken(await self._keeper.renewed(session, self._renewed))
        except errors.ErpError as error:
            logger.info("renewing a person's sign-in failed: %s", error.message)
            if isinstance(error, errors.NotAuthenticated | errors.AccountInactive):
                if after := await self._keeper.ended(session):
                    return self._taken(after)
                raise _ended() from error
            if held.expires_at is None or self._clock() >= held.expires_at:
                raise
            return replace(held, renew_at=self._clock() + _AGAIN)  # good for a while yet

    async def _renewed(self, session: ErpSession) -> ErpSession:
        headers = {**_JSON, "Authorization": f"Bearer {session.token.get_secret_value()}"}
        held = self._read(await self._exchange(REFRESH, headers=headers, content=None))
        return self._session_of(held)

    def _taken(self, session: ErpSession) -> _Held:
        self.user, self.company = session.user, session.company
        return _Held(session.token, _moment(session.renew_at), _moment(session.expires_at))


def _ended() -> errors.NotAuthenticated:
    return errors.NotAuthenticated(
        "your sign-in with FractionERP has ended",
        system=System.FRACTIONERP,
        operation=LOGIN.name,
        hint="The user signs in again: their assistant's program asks for it at the next call.",
    )


_JSON = {"Content-Type": "application/json"}


def _as_sign_in(error: errors.ErpRejected) -> errors.ErpError:
    """A refusal to sign in as what it means there. A caller that knows NotFound or InvalidFields means its own request
    by them: a part, say, that does not exist."""
    if isinstance(error, (*_REFUSALS, errors.RateLimited)):
        return error
    where = {"system": error.system, "operation": error.operation}
    if isinstance(error, errors.InvalidFields):
        return errors.NotAuthenticated(error.message, **where, status=error.status, request_id=error.request_id)
    hint = "Whoever runs this server checks the base URL in its settings; trying again before does not help."
    return errors.ErpContractBroken(error.message, **where, status=error.status, request_id=error.request_id, hint=hint)


def _moment(unix: float | None) -> datetime | None:
    return None if unix is None else datetime.fromtimestamp(unix, UTC)


def _instant(text: str) -> datetime | None:
    """`expires_at` with its offset; one without is taken as UTC, and one that is no time as not known."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
