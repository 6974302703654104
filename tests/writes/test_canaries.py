"""Recognisable credentials, every error provoked: none is found in results, logs or the journal. And reading alone
leaves nothing behind."""

import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import ElicitResult
from pydantic import SecretStr

from fraction_mcp import sandbox
from tests.process import command
from tests.support import child_environment
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

PASSWORD, SECRET, KEY = "canary-password-7f3a", "canary-client-secret-91bc", "canary-sealing-key-55de-" + "k" * 24
Fault = tuple[str, dict[str, Any], str]  # its kind, how it is armed, and what it comes to
WRITING: list[Fault] = [
    ("status", {"status": 401}, "done"),
    ("status", {"status": 403}, "FORBIDDEN"),
    ("status", {"status": 404}, "NOT_FOUND"),
    ("status", {"status": 409}, "OUTCOME_UNKNOWN"),
    ("status", {"status": 422}, "VALIDATION_ERROR"),
    ("status", {"status": 429}, "RATE_LIMITED"),
    ("status", {"status": 500}, "OUTCOME_UNKNOWN"),
    ("status", {"status": 403, "code": "PLAN_RESTRICTED"}, "PLAN_RESTRICTED"),
    ("status", {"status": 403, "code": "ACCOUNT_INACTIVE"}, "ACCOUNT_INACTIVE"),
    ("html", {}, "OUTCOME_UNKNOWN"),
    ("html", {"status": 401}, "OUTCOME_UNKNOWN"),
    ("empty", {}, "OUTCOME_UNKNOWN"),
    ("garbage", {}, "OUTCOME_UNKNOWN"),
    ("truncate", {}, "done"),
    ("drop_before", {}, "OUTCOME_UNKNOWN"),
    ("drop_after", {}, "done"),
    ("after_500", {}, "done"),
    ("expire", {}, "done"),
    ("timeout", {}, "OUTCOME_UNKNOWN"),
]
READING: list[Fault] = [
    ("status", {"status": 401}, "NOT_AUTHENTICATED"),
    ("status", {"status": 403}, "FORBIDDEN"),
    ("status", {"status": 404}, "NOT_FOUND"),
    ("status", {"status": 409}, "DUPLICATE"),
    ("status", {"status": 422}, "VALIDATION_ERROR"),
    ("status", {"status": 429}, "RATE_LIMITED"),
    ("status", {"status": 500}, "UPSTREAM_ERROR"),
    ("status", {"status": 403, "code": "PLAN_RESTRICTED"}, "FORBIDDEN"),
    ("status", {"status": 403, "code": "ACCOUNT_INACTIVE"}, "FORBIDDEN"),
    ("html", {}, "UPSTREAM_ERROR"),
    ("html", {"status": 401}, "NOT_AUTHENTICATED"),
    ("empty", {}, "UPSTREAM_UNREADABLE"),
    ("garbage", {}, "UPSTREAM_UNREADABLE"),
    ("truncate", {}, "UPSTREAM_UNREADABLE"),
    ("drop_before", {}, "UPSTREAM_ERROR"),
    ("drop_after", {}, "UPSTREAM_ERROR"),
    ("after_500", {}, "UPSTREAM_ERROR"),
    ("expire", {}, "NOT_AUTHENTICATED"),
    ("timeout", {}, "UPSTREAM_ERROR"),
]
SIGNING_IN = [*WRITING[:3], *WRITING[9:13]]


@pytest.fixture
def issued(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> list[str]:
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
async def served(
    firm: Firm, stderr: Path, answer: Any = None, *flags: str, **environment: str
) -> AsyncIterator[Client]:
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


# ------------------------------------------------------------------------------------------------- each fault by itself


def said(result: dict[str, Any]) -> str:
    error = result.get("error") or {}
    return error.get("code") or result.get("outcome") or "ok"


@dataclass
class Canaries:
    """An office in process whose credentials are recognisable, everything that it logs, and how each place is looked
    through for them."""

    firm: Firm
    issued: list[str]
    log: pytest.LogCaptureFixture

    @asynccontextmanager
    async def office(self) -> AsyncIterator[Any]:
        secrets = {"fraction_password": PASSWORD, "fracttal_client_secret": SECRET, "secret_key": KEY}
        secret: dict[str, Any] = {name: SecretStr(value) for name, value in secrets.items()}
        async with self.firm.seat("yes", timeout_s=0.3, **secret) as seat:
            yield seat

    def hidden_from(self, result: dict[str, Any]) -> bool:
        places = (json.dumps(result), self.log.text, remains(self.firm.state).decode("utf-8", "replace"))
        return not any(secret in place for secret in (PASSWORD, SECRET, KEY, *self.issued) for place in places)


@pytest.fixture
def canaries(firm: Firm, issued: list[str], caplog: pytest.LogCaptureFixture) -> Canaries:
    caplog.set_level(logging.DEBUG)
    return Canaries(firm, issued, caplog)


def each(faults: list[Fault], *, fast: int) -> pytest.MarkDecorator:
    """One test a fault; those behind the first `fast` go the same ways, and wait for `make cover`."""
    rows = [
        pytest.param(
            fault,
            id="-".join(map(str, (fault[0], *fault[1].values()))),
            marks=[] if number < fast else [pytest.mark.slow],
        )
        for number, fault in enumerate(faults)
    ]
    return pytest.mark.parametrize("fault", rows)


@pytest.mark.matrix
@each(WRITING, fast=len(WRITING))
async def test_no_error_of_a_write_lets_a_secret_out(canaries: Canaries, fault: Fault) -> None:
    kind, how, told = fault
    canaries.firm.arm(kind, method="POST", system="fraction", path="/parts", **how)
    async with canaries.office() as seat:
        result = await seat.call("create_part", part_number="CANARY")
    assert said(result) == told
    assert b"CANARY" in remains(canaries.firm.state)
    assert "POST /auth/login" in canaries.log.text, "the level is low enough for there to be something to find"
    assert canaries.issued
    assert canaries.hidden_from(result)


@each(READING, fast=2)
async def test_no_error_of_a_read_lets_a_secret_out(canaries: Canaries, fault: Fault) -> None:
    kind, how, told = fault
    canaries.firm.arm(kind, method="GET", path="/warehouse_purchase_orders/", times=9, **how)
    async with canaries.office() as seat:
        result = await seat.call("list_fracttal_purchase_orders")
    assert said(result) == told
    assert canaries.issued
    assert canaries.hidden_from(result)


@pytest.mark.parametrize("path", ["/auth/login", "/fracttal/oauth/token"])
@each(SIGNING_IN, fast=1)
async def test_no_error_of_a_sign_in_lets_a_secret_out(canaries: Canaries, fault: Fault, path: str) -> None:
    kind, how, _ = fault
    canaries.firm.arm(kind, path=path, times=9, **how)
    async with canaries.office() as seat:
        result = await seat.call("get_connection_status")
    assert [one["signed_in"] for one in result["systems"]].count(False) == 1
    assert canaries.hidden_from(result)


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("create_part", {"part_number": "", "nonsense": 1}, "INVALID_INPUT"),
        ("create_enquiry", {"customer": "nobody at all"}, "not_found"),
        ("get_write_status", {"write_id": "w0"}, "NOT_FOUND"),
    ],
)
async def test_no_answer_to_a_wrong_call_lets_a_secret_out(
    canaries: Canaries, tool: str, arguments: dict[str, Any], told: str
) -> None:
    async with canaries.office() as seat:
        result = await seat.call(tool, **arguments)
    assert said(result) == told
    assert canaries.hidden_from(result)


# ------------------------------------------------------------------------------------------------------ a real process


@pytest.mark.slow
@pytest.mark.process
async def test_a_server_s_own_streams_and_files_hold_no_secret(firm: Firm, issued: list[str], tmp_path: Path) -> None:
    async with served(firm, tmp_path / "stderr", yes) as client:
        firm.arm("html", method="POST", system="fraction", path="/parts")
        results = [await told(client, "create_part", part_number="CANARY-1")]
        firm.app.state.faults.clear()
        results.append(await told(client, "create_part", part_number="CANARY-2"))
    assert "OUTCOME_UNKNOWN" in results[0]
    logged, kept = (tmp_path / "stderr").read_bytes(), remains(firm.state)
    assert b"POST /parts -> 201" in logged, "the level is low enough for there to be something to find"
    assert b"CANARY-1" in kept
    assert issued
    for secret in (PASSWORD, SECRET, KEY, *issued):
        for place, content in (("a result", "".join(results).encode()), ("stderr", logged), ("the state folder", kept)):
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
async def test_a_journal_that_cannot_be_opened_lets_no_secret_out(
    firm: Firm, issued: list[str], tmp_path: Path
) -> None:
    url = f"postgresql+asyncpg://clerk:{PASSWORD}@127.0.0.1:1/journal"
    async with served(firm, tmp_path / "stderr", yes, FRACTION_MCP_DATABASE_URL=url) as client:
        result = await told(client, "create_part", part_number="CANARY-DB")
    assert '"written": "no"' in result
    assert PASSWORD not in result
    assert PASSWORD not in (tmp_path / "stderr").read_text()
    assert firm.sent() == []


@pytest.mark.slow
@pytest.mark.process
async def test_wrong_credentials_are_not_repeated_to_anybody(firm: Firm, tmp_path: Path) -> None:
    async with served(firm, tmp_path / "stderr", yes) as client:  # the sandbox does not know the canaries here
        results = [await told(client, "create_part", part_number="X"), await told(client, "get_connection_status")]
    assert "NOT_AUTHENTICATED" in results[0]
    for secret in (PASSWORD, SECRET):
        assert secret not in "".join(results) + (tmp_path / "stderr").read_text()


# --------------------------------------------------------------------------------------------------------- reading only


def imported(stderr: Path) -> set[str]:
    """The modules that `-X importtime` has told of."""
    return {line.rpartition("|")[2].strip() for line in stderr.read_text().splitlines() if line.startswith("import")}


@pytest.mark.slow
@pytest.mark.process
async def test_a_session_that_only_reads_leaves_no_state_and_does_not_load_the_journal(
    firm: Firm, issued: list[str], tmp_path: Path
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
