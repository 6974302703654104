"""The HTTP face on a real loopback socket: who is answered, and what whoever reaches it cannot do."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult, InputRequiredResult

from fraction_mcp.errors import ConfigError
from fraction_mcp.server.http import refuse_open_address
from tests.process import command
from tests.support import child_environment, free_port, wait_for

pytestmark = pytest.mark.anyio

PRICE = {"part": "WIDGET-001", "quantity": 250, "customer": "Acme Corp"}
SERVE = ("serve", "--sandbox")
KEY = "a key that both processes have, as replicas do"
YES = ElicitResult(action="accept", content={"decision": "approve"})
WHERE_TO_DECIDE = (
    "fraction-mcp: over HTTP no form is sent; a write waits until a person decides: `fraction-mcp approvals` on this "
    "machine opens the inbox"
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One state folder for all children: one company, one journal, one key."""
    state = tmp_path_factory.mktemp("state")
    return child_environment(
        FRACTION_MCP_STATE_DIR=str(state),
        FRACTION_CURRENCY="GBP",
        FRACTION_MCP_SECRET_KEY=KEY,
        FRACTION_MCP_OPEN_INBOX="false",
    )


@contextmanager
def served(environment: dict[str, str], *arguments: str, tells: Sequence[str] = (WHERE_TO_DECIDE,)) -> Iterator[str]:
    """`serve --http`, ended by its process: its address. It says on stderr where it is, and nothing but `tells`."""
    port = free_port()
    host = arguments[1] if arguments[:1] == ("--host",) else "127.0.0.1"
    shown = f"[{host}]" if ":" in host else host
    with subprocess.Popen(
        command(*SERVE, "--http", "--port", str(port), *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            wait_for(process, port, host)
            yield f"http://{shown}:{port}/mcp"
        finally:
            process.terminate()
            told, errors = process.communicate(timeout=60)
    assert told == ""
    lines = [line for line in errors.splitlines() if "without completing response" not in line]  # streams that it ended
    assert lines == [f"fraction-mcp listens on http://{shown}:{port}/mcp", *tells]


@pytest.fixture(scope="module")
def url(environment: dict[str, str]) -> Iterator[str]:
    with served(environment) as url:
        yield url


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
async def test_the_sdks_client_gets_a_price_over_http(url: str, mode: str, version: str) -> None:
    with anyio.fail_after(30):
        async with Client(url, mode=mode) as client:
            assert client.protocol_version == version
            data = (await client.call_tool("get_price_for_quantity", PRICE)).structured_content or {}
    assert data["prices"][0]["line_total"] == "2500.00"


# ----------------------------------------------------------------------------------------------------------- addresses


@pytest.mark.process
@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.2", "0:0:0:0:0:0:0:1"])
def test_another_address_than_the_three_ends_it_at_start(environment: dict[str, str], host: str) -> None:
    words = (*SERVE, "--http", "--host", host, "--port", "0")
    run = subprocess.run(command(*words), capture_output=True, text=True, check=False, env=environment, timeout=30)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"fraction-mcp: --host {host} could be reached by others")
    assert "127.0.0.1, ::1 or localhost" in run.stderr


@pytest.mark.parametrize(
    "host",
    ["::", "192.168.1.10", "example.com", "", "127.0.0.1.example.com", "localhost.example.com", "127.1", "127.8.8.8",
     "127.0.0.2", "127.0.0.1 ", "0:0:0:0:0:0:0:1", "::0001", "::ffff:127.0.0.1", "LOCALHOST", "localhost.",
     "LOCALHOST.", "ip6-localhost", "2130706433", "0x7f000001"],
)  # fmt: skip
def test_only_three_spellings_of_this_machine_are_served(host: str) -> None:
    with pytest.raises(ConfigError, match="could be reached by others"):
        refuse_open_address(host)
    for fine in ("127.0.0.1", "::1", "localhost"):
        refuse_open_address(fine)


# ------------------------------------------------------------------------------------------------- another page's name

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "page", "version": "0"}},
}
LIST = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/list",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "page", "version": "0"},
        }
    },
}
ERAS = {
    "an older client": (INITIALIZE, {}),
    "a newer client": (LIST, {"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}),
}


@pytest.fixture(scope="module", params=["127.0.0.1", "::1", "localhost"])
def named(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[str]:
    with served(environment, "--host", request.param) as url:
        yield url


def answered(url: str, era: str, **changed: str) -> int:
    asked, headers = ERAS[era]
    sent = {"Accept": "application/json, text/event-stream", **headers, **changed}
    return httpx.post(url, json=asked, headers=sent, timeout=60).status_code


@pytest.mark.matrix
@pytest.mark.parametrize("era", ERAS)
def test_a_request_that_names_this_machine_is_answered(named: str, era: str) -> None:
    port = httpx.URL(named).port
    for name in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        assert answered(named, era, Host=name) == 200, name
        assert answered(named, era, Host=name, Origin=f"http://{name}") == 200, name


@pytest.mark.matrix
@pytest.mark.parametrize("era", ERAS)
def test_a_page_that_made_its_own_name_lead_here_is_refused(named: str, era: str) -> None:
    """DNS rebinding: the request arrives on the loopback, from a browser that believes to speak to evil.example."""
    port = httpx.URL(named).port
    for name in ("evil.example", f"evil.example:{port}", "127.0.0.1", "localhost:1", f"127.0.0.2:{port}",
                 f"localhost.evil.example:{port}", f"127.0.0.1:{port}.evil.example", f"127.0.0.1:{port}0"):  # fmt: skip
        assert answered(named, era, Host=name) == 421, name
        assert answered(named, era, Host=name, Origin=f"http://{name}") == 421, name
    for origin in ("https://evil.example", f"http://evil.example:{port}", "null", "http://127.0.0.1",
                   "http://127.0.0.1:1", f"https://127.0.0.1:{port}"):  # fmt: skip
        assert answered(named, era, Origin=origin) == 403, origin


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_page_that_made_its_own_name_lead_here_reaches_no_session(url: str, method: str) -> None:
    asked = httpx.post(url, json=INITIALIZE, headers={"Accept": "application/json, text/event-stream"})
    session = {"Mcp-Session-Id": asked.headers["mcp-session-id"], "Accept": "text/event-stream"}
    for header in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        assert httpx.request(method, url, headers={**session, **header}, timeout=60).status_code in {403, 421}


# ---------------------------------------------------------------------------------------------- whose form it would be


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_over_http_no_form_is_sent_and_the_write_waits(url: str, mode: str) -> None:
    """Whoever reaches the port is a client, and would answer its own form."""
    asked = []

    async def says_yes(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params)
        return YES

    number = f"HTTP-{mode}"
    with anyio.fail_after(30):
        async with Client(url, mode=mode, elicitation_callback=says_yes) as client:
            told = (await client.call_tool("create_part", {"part_number": number})).structured_content or {}
            again = (await client.call_tool("create_part", {"part_number": number})).structured_content or {}
            seen = (await client.call_tool("search_parts", {"query": number})).structured_content or {}
    assert asked == []
    assert (told["outcome"], again["outcome"]) == ("awaiting_approval", "awaiting_approval")
    assert told["write_id"] == again["write_id"]
    assert seen["rows"] == []


@pytest.mark.process
async def test_a_form_s_answer_with_a_state_that_was_sealed_elsewhere_counts_for_nothing_over_http(
    url: str, environment: dict[str, str]
) -> None:
    """A replica with a person at it asks; its sealed question is carried to the HTTP face of the same firm."""

    async def unused(context: ClientRequestContext, params: ElicitRequestParams) -> Any:
        raise AssertionError("the rounds are played by hand")

    part = {"part_number": "HTTP-CARRIED"}
    answer: dict[str, Any] = {"input_responses": {"decision": YES}, "allow_input_required": True}
    python, *words = command(*SERVE)
    vouched = {**environment, "FRACTION_MCP_ELICITATION": "full"}
    beside = StdioServerParameters(command=python, args=words, env=vouched)
    with anyio.fail_after(60):
        async with Client(beside, elicitation_callback=unused) as person:
            question = await person.session.call_tool("create_part", part, allow_input_required=True)
            assert isinstance(question, InputRequiredResult)
            state = question.request_state
            async with Client(url, elicitation_callback=unused) as client:
                told = await client.session.call_tool("create_part", part, request_state=state, **answer)
                assert (told.structured_content or {})["outcome"] == "awaiting_approval"
                seen = (await client.call_tool("search_parts", {"query": "HTTP-CARRIED"})).structured_content or {}
                assert seen["rows"] == []
            await anyio.sleep(1.1)  # as long as a person reads
            done = await person.session.call_tool("create_part", part, request_state=state, **answer)
            assert (done.structured_content or {})["outcome"] == "done"  # the state itself was good


@pytest.mark.process
async def test_an_operator_who_chose_two_steps_is_told_who_takes_them_over_http(environment: dict[str, str]) -> None:
    told = "fraction-mcp: under two_step, whoever reaches this port can confirm its own writes"
    with served({**environment, "FRACTION_MCP_CONFIRM": "two_step"}, tells=[told]) as url, anyio.fail_after(30):
        async with Client(url) as client:
            asked = (await client.call_tool("create_part", {"part_number": "HTTP-TWO"})).structured_content or {}
    assert asked["outcome"] == "confirmation_required"


# --------------------------------------------------------------------------------------------------------------- sizes


def test_a_request_beyond_a_megabyte_is_refused(url: str) -> None:
    text = json.dumps({**INITIALIZE, "padding": "x" * 1_048_576})
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    assert httpx.post(url, content=text, headers=headers, timeout=60).status_code == 413
