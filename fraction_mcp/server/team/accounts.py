"""The ERPs that a person of a team works in: FractionERP by the token that is kept of their own sign-in, or by an
account of the company; Fracttal by the operator's, which all share.

A client is a session: its budget, its memory and its connections are one account's, and never two people's.
"""

import logging
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from fraction_mcp.config import Settings
from fraction_mcp.erp import Erp
from fraction_mcp.erp.auth import ErpSession
from fraction_mcp.erp.cache import RememberingErp
from fraction_mcp.erp.client import ErpClient, colleague_client, fraction_client, fracttal_client
from fraction_mcp.errors import ConfigError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from fraction_mcp.server.team.people import Person
    from fraction_mcp.server.team.store import TeamStore

__all__ = ["OwnAccounts", "ServiceAccounts"]

logger = logging.getLogger(__name__)

_LOOK_S = 0.1


class _Kept:
    """One person's session, as the store has it; see `SessionKeeper`."""

    def __init__(self, store: "TeamStore", subject: str, *, lease_s: float) -> None:
        self._store = store
        self._subject = subject
        self._lease_s = lease_s
        self._owner = f"{os.getpid()}-{secrets.token_hex(8)}"

    async def session(self) -> ErpSession | None:
        stored = await self._store.person(self._subject)
        return stored.session if stored else None

    async def renewed(self, session: ErpSession, renew: Callable[[ErpSession], Awaitable[ErpSession]]) -> ErpSession:
        # It revokes the token before: left half way, nobody would know the new one.
        with anyio.CancelScope(shield=True):
            return await self._renewed_by_one(session, renew)
        raise AssertionError("a shielded scope is not left early")

    async def _renewed_by_one(
        self, session: ErpSession, renew: Callable[[ErpSession], Awaitable[ErpSession]]
    ) -> ErpSession:
        subject, version, owner = self._subject, session.version, self._owner
        if not await self._claimed(version):
            return await self.session() or session  # which the ERP then refuses, as it should
        try:
            after = await renew(session)
        except BaseException:
            await self._store.released(subject, version, owner)
            raise
        await self._store.renewed(subject, version, owner, after)
        return replace(after, version=version + 1)

    async def ended(self, session: ErpSession) -> ErpSession | None:
        # Whoever renews it has revoked it already, and knows the next one in a moment.
        with anyio.CancelScope(shield=True):
            if not await self._claimed(session.version):
                return await self.session()
            await self._store.ended(self._subject, session.version)
        return None

    async def _claimed(self, version: int) -> bool:
        """Whether it is now this process's to renew the token of this version, or to end it: as soon as nobody else is
        at it. False once there is another version, or none."""
        while not await self._store.claim_renewal(self._subject, version, owner=self._owner, lease_s=self._lease_s):
            now = await self.session()
            if now is None or now.version != version:
                return False
            await anyio.sleep(_LOOK_S)
        return True


class _Shared:
    """What everybody works in with one account, for as long as the server lives."""

    def __init__(self, settings: Settings, sandbox: "ASGIApp | None") -> None:
        self._settings = settings
        self._sandbox = sandbox
        self._clients = list[ErpClient]()

    def fraction(self, settings: Settings) -> Erp:
        return self._remembering(fraction_client(settings, self._sandbox))

    def fracttal(self, settings: Settings) -> Erp:
        return self._remembering(fracttal_client(settings, self._sandbox))

    def _remembering(self, client: ErpClient) -> Erp:
        self._clients.append(client)
        return RememberingErp(client, keep_s=self._settings.cache_s)

    async def aclose(self) -> None:
        async with AsyncExitStack() as stack:
            for client in self._clients:
                stack.push_async_callback(client.aclose)


class OwnAccounts:
    """Each person in FractionERP as themselves, and all in the operator's Fracttal, where there is one."""

    def __init__(self, settings: Settings, store: "TeamStore", sandbox: "ASGIApp | None" = None) -> None:
        self._settings = settings
        self._store = store
        self._sandbox = sandbox
        self._shared = _Shared(settings, sandbox)
        self._fracttal = (self._shared.fracttal(settings),) if settings.fracttal_configured else ()

    @asynccontextmanager
    async def of(self, person: "Person") -> AsyncIterator[tuple[Erp, ...]]:
        keeper = _Kept(self._store, person.subject, lease_s=2 * self._settings.timeout_s)
        client = colleague_client(self._settings, person.subject, keeper, self._sandbox)
        try:
            yield (RememberingErp(client, keep_s=self._settings.cache_s), *self._fracttal)
        finally:
            await client.aclose()

    async def aclose(self) -> None:
        await self._shared.aclose()


class ServiceAccounts:
    """Everybody by the account of a profile: that of their subject in `subjects`, or this server's own where none are
    mapped. Somebody who stands in no mapping has no account."""

    def __init__(self, settings: Settings, subjects: Mapping[str, str], sandbox: "ASGIApp | None" = None) -> None:
        """Raises ConfigError for a profile that cannot be read: at the start, and not at somebody's first call."""
        self._shared = _Shared(settings, sandbox)
        self._subjects = dict(subjects)
        places = {profile: _of_profile(settings, profile) for profile in sorted(set(subjects.values()))}
        self._erps = {name: self._of(place) for name, place in (places or {"": settings}).items()}

    def _of(self, settings: Settings) -> tuple[Erp, ...]:
        fraction = [self._shared.fraction(settings)] if settings.fraction_configured else []
        fracttal = [self._shared.fracttal(settings)] if settings.fracttal_configured else []
        return (*fraction, *fracttal)

    @asynccontextmanager
    async def of(self, person: "Person") -> AsyncIterator[tuple[Erp, ...]]:
        profile = self._subjects.get(person.subject) if self._subjects else ""
        if profile is None:
            raise ConfigError(f"no ERP account is mapped to {person.subject}")
        yield self._erps[profile]

    async def aclose(self) -> None:
        await self._shared.aclose()


def _of_profile(settings: Settings, profile: str) -> Settings:
    named = settings.model_copy(update={"profile": profile})
    named.__pydantic_fields_set__ = (settings.model_fields_set | {"profile"}) - _ACCOUNT
    return named.with_profile()


_ACCOUNT = {"fraction_email", "fraction_password", "fracttal_client_id", "fracttal_client_secret"}
