"""Whatever an ERP answers, a tool gives a result or tells an error of the ERP's: wrong types at every key of every
list, single record, price list and sign-in, other statuses, names and texts that no terminal should see.

Each place in each answer is spoilt once here, with the next of all the ways in turn; run over all of them (some forty
thousand calls) it takes ten minutes.
"""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from fraction_mcp import sandbox
from fraction_mcp.cli.serve import checked_settings
from fraction_mcp.erp import endpoints
from fraction_mcp.erp.client import fraction_client, fracttal_client
from fraction_mcp.errors import ErpError
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server
from torture.spoiling import ASKED, STATUSES, WAYS, Spoiling, places, wrong_with

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def spoiling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoiling]:
    app = sandbox.open_sandbox(tmp_path_factory.mktemp("company") / "sandbox.db", parts=120)
    app.state.fraction_limit_per_hour = app.state.fracttal_limit_per_minute = 10**9
    yield Spoiling(app)
    app.state.store.close()


@pytest.fixture
async def client(spoiling: Spoiling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path))
    changes = {"confirm": "two_step", "elicitation": "off", "cache_s": 0}
    settings = checked_settings(sandbox=True).model_copy(update=changes)
    spoiling.spoil("")
    async with Runtime(settings, spoiling) as runtime, Client(create_server(runtime)) as client:
        await client.call_tool("get_connection_status", {})
        yield client


async def check(client: Client, tool: str, asked: dict[str, Any], why: object) -> None:
    assert await wrong_with(client, tool, asked) == "", (tool, asked, why)


@pytest.mark.matrix
@pytest.mark.parametrize(("tool", "asked"), ASKED, ids=[f"{n}-{tool}" for n, (tool, _) in enumerate(ASKED)])
async def test_an_odd_answer_is_answered_and_never_a_failure_inside_the_server(
    client: Client, spoiling: Spoiling, tool: str, asked: dict[str, Any]
) -> None:
    spoiling.seen.clear()
    first = await client.call_tool(tool, asked)
    assert not first.is_error, first.content
    ways = itertools.cycle(WAYS[len(tool) % 7 :] + WAYS[: len(tool) % 7])
    for path, document in list(spoiling.seen.items()):
        for place in places(document):
            spoiling.spoil(path, place, way := next(ways))
            await check(client, tool, asked, (path, place, repr(way)[:80]))
        for status in STATUSES:
            spoiling.spoil(path, status=status)
            await check(client, tool, asked, (path, status))
    spoiling.spoil("")
    after = await client.call_tool(tool, asked)
    assert not after.is_error, "the server goes on"


@pytest.mark.slow
@pytest.mark.parametrize("system", endpoints.System)
async def test_an_odd_answer_to_a_sign_in_is_a_sign_in_or_an_error_of_the_erps(
    spoiling: Spoiling, system: endpoints.System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path))
    settings = checked_settings(sandbox=True)
    make, path, read = (
        (fraction_client, f"{sandbox.FRACTION_PATH}/auth/login", endpoints.ME)
        if system is endpoints.System.FRACTIONERP
        else (fracttal_client, sandbox.FRACTTAL_TOKEN_PATH, endpoints.WAREHOUSES)
    )
    spoiling.spoil("")
    client = make(settings, spoiling)
    await client.call(read)
    await client.aclose()
    document = spoiling.seen[path]
    signed_in, told = 0, list[str]()
    for place in places(document):
        for way in WAYS:
            spoiling.spoil(path, place, way)
            client = make(settings, spoiling)
            try:
                await client.call(read)
                told.append(str(client.connection()))
                signed_in += 1
            except ErpError as error:
                told.append(error.message)
            await client.aclose()
    assert signed_in > len(WAYS)
    assert "\n".join(told).encode()
