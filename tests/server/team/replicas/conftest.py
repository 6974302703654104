"""What the tests of replicas share: a PostgreSQL that may be stopped, and a company to copy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fraction_mcp import sandbox
from fraction_mcp.operations.writes import journal_tables
from fraction_mcp.server.team import store_tables
from tests import postgresql
from tests.postgresql import Server


@pytest.fixture(scope="module")
def _server() -> Iterator[Server]:
    with postgresql.on_a_port() as server:
        yield server


@pytest.fixture
async def server(_server: Server) -> Server:
    tables = (*journal_tables.metadata.tables, *store_tables.metadata.tables)
    await _server.run(f"DROP TABLE IF EXISTS {', '.join(tables)}")
    return _server


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "company.db"
    sandbox.open_sandbox(path, parts=5).state.store.close()
    return path
