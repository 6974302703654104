"""Recognisable credentials, every error provoked: none is found in results, logs or the journal. And reading alone
leaves nothing behind."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import ElicitResult

from fraction_mcp import sandbox
from tests.process import command
from tests.support import child_environment

pytestmark = pytest.mark.anyio

PASSWORD, SECRET, KEY = "canary-password-7f3a", "canary-client-secret-91bc", "canary-sealing-key-55de-" + "k" * 24
FAULTS: list[tuple[str, dict[str, Any]]] = [
    *(("status", {"status": status}) for status in (401, 403, 404, 409, 422, 429, 500)),
    ("status", {"status": 403, "code": "PLAN_RESTRICTED"}),
    ("status", {"status": 403, "code": "ACCOUNT_INACTIVE"}),
    ("html", {}),
    ("html", {"status": 401}),
    ("empty", {}),
    ("garbage", {}),
    ("truncate", {}),
    ("drop_before", {}),
    ("drop_after", {}),
    ("after_500", {}),
    ("expire", {}),
    ("timeout", {}),
]


@pytest.fixture
def issued(firm: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sandbox takes the canaries for its credentials; every token that it issues is noted."""
    people = tuple(replace(account, password=PASSWORD) for account in sandbox.ACCOUNTS)
    clients = tuple(replace(client, client_secret=SECRET) for client in sandbox.CLIENTS)
    monkeypatch.setattr("fraction_mcp.sandbox.fraction.app.ACCOUNTS", people)
    monkeypatch.setattr("fraction_mcp.sandbox.fracttal.app.CLIENTS", clients)
    tokens: list[str] = []
    store = firm.app.state.store
    issue = store.issue_token

    def noted(*arguments: Any) -> tuple[str, float]:
        token, ends = issue(*arguments)
        tokens.append(token)
        return token, ends

    monkeypatch.setattr(store, "issue_token", noted)
    return tokens


@asynccontextmanager
async def served(firm: Any, stderr: Path, answer: Any = None, *flags: str, **environment: str) -> AsyncIterator[Client]:
    """`fraction-mcp serve` over stdio, signed in to the sandbox over HTTP; its stderr goes to a file."""
    settings = firm.settings(wired=True)
    parameters = StdioServerParameters(
        command=sys.executable,
        args=[*flags, "-m", "fraction_mcp", "serve"],
        env={
            "FRACTION_BASE_URL": settings.fraction_base_url,
            "FRACTION_EMAIL": sandbox.EMAIL,
            "FRACTION_PASSWORD": PASSWORD,
            "FRACTTAL_BASE_URL": settings.fracttal_base_url,
            "FRACTTAL_TOKEN_URL": settings.fracttal_token_url,
            "FRACTTAL_CLIENT_ID": sandbox.CLIENT_ID,
            "FRACTTAL_CLIENT_SECRET": SECRET,
            "FRACTION_MCP_STATE_DIR": str(firm.state),
            "FRACTION_MCP_SECRET_KEY": KEY,
            "FRACTION_MCP_OPEN_INBOX": "false",
            "FRACTION_MCP_TIMEOUT_S": "0.75",
            "FRACTION_MCP_LOG_LEVEL": "DEBUG",
            **environment,
        },
    )
    with anyio.fail_after(60), stderr.open("w") as errlog:
        async with Client(stdio_client(parameters, errlog=errlog), elicitation_callback=answer) as client:
            yield client


async def yes(_context: Any, _question: Any) -> ElicitResult:
    await anyio.sleep(1.1)  # what comes faster counts as nobody's
    return ElicitResult(action="accept", content={"decision": "approve"})


async def told(client: Client, tool: str, **arguments: Any) -> str:
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as error:
        return str(error.error)
    return json.dumps(result.model_dump(mode="json"), ensure_ascii=False)


def remains(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.process
async def test_no_error_lets_a_secret_out(firm: Any, issued: list[str], tmp_path: Path) -> None:
    results = []
    async with served(firm, tmp_path / "stderr", yes) as client:
        for number, (fault, how) in enumerate(FAULTS):
            write = {"method": "POST", "system": "fraction", "path": "/parts"}
            firm.arm(fault, **write, **how)
            results.append(await told(client, "create_part", part_number=f"CANARY-{number}"))
            firm.app.state.faults.clear()
            if fault != "timeout":
                firm.arm(fault, method="GET", path="/warehouse_purchase_orders/", **how)
                results.append(await told(client, "list_fracttal_purchase_orders"))
        for path in ("/auth/login", "/fracttal/oauth/token"):
            for fault, how in FAULTS[:3] + FAULTS[9:13]:
                firm.app.state.faults.clear()
                firm.app.state.store.expire_tokens("*")
                firm.arm(fault, path=path, times=9, **how)
                results.append(await told(client, "get_connection_status"))
        firm.app.state.faults.clear()
        results.append(await told(client, "create_part", part_number="", nonsense=1))
        results.append(await told(client, "create_enquiry", customer="nobody at all"))
        results.append(await told(client, "get_write_status", write_id="w0"))
    said = " ".join(results).encode()
    for code in ("NOT_AUTHENTICATED", "RATE_LIMITED", "OUTCOME_UNKNOWN", "INVALID_INPUT", "NOT_FOUND"):
        assert code.encode() in said, f"{code} was provoked"
    logged = (tmp_path / "stderr").read_bytes()
    assert b"POST /parts -> 201" in logged, "the level is low enough for there to be something to find"
    kept = remains(firm.state)
    assert b"CANARY-0" in kept
    assert len(issued) > 3
    for secret in (PASSWORD, SECRET, KEY, *issued):
        for place, content in (("a result", said), ("stderr", logged), ("the state folder", kept)):
            assert secret.encode() not in content, f"{secret} is in {place}"


@pytest.mark.process
@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://clerk:x@{0}:y@127.0.0.1/journal",
        "postgresql+asyncpg://clerk:{0}@127.0.0.1/journal?foo=bar",
        "nonsense+driver://clerk:{0}@127.0.0.1/journal",
    ],
)
async def test_an_address_that_no_journal_can_have_stops_the_start_and_lets_no_secret_out(
    tmp_path: Path, url: str
) -> None:
    environment = child_environment(
        FRACTION_MCP_STATE_DIR=str(tmp_path), FRACTION_MCP_DATABASE_URL=url.format(PASSWORD)
    )
    ran = await anyio.run_process(command("serve", "--sandbox"), check=False, env=environment)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.startswith(b"fraction-mcp: FRACTION_MCP_DATABASE_URL: ")
    assert PASSWORD.encode() not in ran.stderr


@pytest.mark.slow
@pytest.mark.process
async def test_a_journal_that_cannot_be_opened_lets_no_secret_out(firm: Any, issued: list[str], tmp_path: Path) -> None:
    url = f"postgresql+asyncpg://clerk:{PASSWORD}@127.0.0.1:1/journal"
    async with served(firm, tmp_path / "stderr", yes, FRACTION_MCP_DATABASE_URL=url) as client:
        result = await told(client, "create_part", part_number="CANARY-DB")
    assert '"written": "no"' in result
    assert PASSWORD not in result
    assert PASSWORD not in (tmp_path / "stderr").read_text()
    assert firm.sent() == []


@pytest.mark.slow
@pytest.mark.process
async def test_wrong_credentials_are_not_repeated_to_anybody(firm: Any, tmp_path: Path) -> None:
    async with served(firm, tmp_path / "stderr", yes) as client:  # the sandbox does not know the canaries here
        results = [await told(client, "create_part", part_number="X"), await told(client, "get_connection_status")]
    assert "NOT_AUTHENTICATED" in results[0]
    for secret in (PASSWORD, SECRET):
        assert secret not in "".join(results) + (tmp_path / "stderr").read_text()


# --------------------------------------------------------------------------------------------------------- reading only


def imported(stderr: Path) -> set[str]:
    """The modules that `-X importtime` has told of."""
    return {line.rpartition("|")[2].strip() for line in stderr.read_text().splitlines() if line.startswith("import")}


@pytest.mark.process
async def test_a_session_that_only_reads_leaves_no_state_and_does_not_load_the_journal(
    firm: Any, issued: list[str], tmp_path: Path
) -> None:
    async with served(firm, tmp_path / "stderr", yes, "-X", "importtime") as client:
        assert "create_part" in {tool.name for tool in (await client.list_tools()).tools}
        for tool, arguments in (
            ("search_parts", {"query": "widget"}),
            ("get_customer", {"customer": "Acme Corp"}),
            ("get_price_for_quantity", {"part": "WIDGET-001", "quantity": 100}),
            ("list_fracttal_purchase_orders", {}),
            ("get_connection_status", {}),
        ):
            assert not (await client.call_tool(tool, arguments)).is_error
        heavy = {"sqlalchemy", "aiosqlite", "fraction_mcp.operations.writes.journal", "fraction_mcp.sandbox"}
        assert "httpx" in imported(tmp_path / "stderr")
        assert not heavy & imported(tmp_path / "stderr")
        assert not firm.state.exists()
        await client.call_tool("create_part", {"part_number": "FIRST-WRITE"})
        assert "sqlalchemy" in imported(tmp_path / "stderr"), "and this is how it would have shown"
        assert (firm.state / "journal.sqlite3").exists()
