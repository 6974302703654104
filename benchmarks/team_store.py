"""People who have signed in: their tokens, made in the database itself, as the sign-in's pages would make them."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

from fraction_mcp.config import Settings
from fraction_mcp.erp.client import sign_in_to_fraction
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.store import Consented, TeamStore

__all__ = ["SCOPES", "database", "signed_in"]

SCOPES = ("erp:read", "erp:write")


async def signed_in(people: int, environment: Mapping[str, str], *, resource: str) -> list[str]:
    """An access token of each of so many people, who all work in the sandbox by one ERP token."""
    with mock.patch.dict(os.environ, environment):
        settings = Settings.load(stored=False)
    session = await sign_in_to_fraction(settings, settings.fraction_email, settings.fraction_password)
    journal = await Journal.open(settings.database_url.get_secret_value(), Path(environment["FRACTION_MCP_STATE_DIR"]))
    try:
        store = TeamStore(journal.database, KeyRing([key.encode() for key in settings.secret_keys()]))
        tokens = []
        for number in range(people):
            subject = await store.signed_in(replace(session, account=f"person-{number}@example.com"))
            consented = Consented(subject, "bench", SCOPES, resource, "http://127.0.0.1:9/", True, "c" * 43)
            made = await store.take_code(await store.new_code(consented), "bench", asked_at=time.time())
            assert made is not None
            tokens.append(made.access)
        return tokens
    finally:
        await journal.aclose()


@contextmanager
def database(kind: str) -> Iterator[dict[str, str]]:
    """The environment that leads to a new one: a SQLite file in the state folder, or the tests' PostgreSQL."""
    if kind == "SQLite":
        yield {}
        return
    from tests import postgresql

    server = postgresql.server()
    try:
        yield {"FRACTION_MCP_DATABASE_URL": server.get_uri().replace("postgresql://", "postgresql+asyncpg://")}
    finally:
        server.cleanup()
