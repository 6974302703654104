"""A team's server as a whole, on a real socket: who is answered, how calls are bounded, and how it ends."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp.server import Server, ServerRequestContext
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.types import CallToolRequestParams, CallToolResult, TextContent
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from fraction_mcp.cli.serve import checked_settings, runtime_of
from fraction_mcp.config import Settings
from fraction_mcp.logs import set_up_logs
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.server.app import create_server
from fraction_mcp.server.team.http import TeamServer, serve_team
from fraction_mcp.server.team.options import TeamOptions
from fraction_mcp.server.team.turns import Limits
from tests.support import free_port
from tests.terminal import small_company, state

__all__ = ["small_company", "state"]  # fixtures

pytestmark = pytest.mark.anyio

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


class Verifier:
    """Whose token it is, by its name: the check of tokens is others' to test."""

    async def verify_token(self, token: str) -> AccessToken | None:
        who, _, secret = token.partition(":")
        if secret != "ok":
            return None
        return AccessToken(token=token, client_id="test", scopes=["erp:read"], subject=who)


def with_sign_in(server: Server[Any], port: int) -> Starlette:
    url = AnyHttpUrl(f"http://127.0.0.1:{port}")
    return server.streamable_http_app(
        stateless_http=True,
        auth=AuthSettings(
            issuer_url=url,
            resource_server_url=AnyHttpUrl(f"{url}mcp"),
            required_scopes=["erp:read"],
            validate_token_resource=False,
        ),
        token_verifier=Verifier(),
    )


class Slow:
    """An MCP server whose one tool waits, shielded for a while as a commit is; `begun` counts its calls."""

    def __init__(self) -> None:
        self.begun = self.committed = 0
        self.go_on = anyio.Event()
        self.commit_s = 0.0
        self.server: Server[Any] = Server("slow", on_call_tool=self.call)

    async def call(self, ctx: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> CallToolResult:
        self.begun += 1
        with anyio.CancelScope(shield=True):
            await anyio.sleep(self.commit_s)
            self.committed += 1
        await self.go_on.wait()
        return CallToolResult(content=[TextContent(text="done")])

    async def until_begun(self, count: int) -> None:
        while self.begun < count:  # noqa: ASYNC110 - what is counted on the other side of a socket has no event
            await anyio.sleep(0.01)


class Running:
    def __init__(self, server: TeamServer, port: int, end: Callable[[], None], ended: anyio.Event) -> None:
        self.server, self.port, self.end, self.ended = server, port, end, ended
        self.again = anyio.Event()
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60)

    async def call(self, who: str = "anna:ok", tool: str = "wait", arguments: dict[str, Any] | None = None, *,
                   older: bool = False, **headers: str) -> httpx.Response:  # fmt: skip
        params: dict[str, Any] = {"name": tool, "arguments": arguments or {}}
        era = {"MCP-Protocol-Version": "2025-11-25"}
        if not older:
            params["_meta"] = META
            era = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool}
        asked = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
        sent = {**ACCEPT, **era, "Authorization": f"Bearer {who}", **headers}
        return await self.http.post("/mcp", json=asked, headers=sent)


@asynccontextmanager
async def serving(
    settings: Settings,
    app: Callable[[int], Starlette],
    *,
    routes: list[Route] | None = None,
    port: int = 0,
    metrics_port: int | None = None,
    **options: Any,
) -> AsyncIterator[Running]:
    port = port or free_port()
    team = TeamOptions(auth="jwt", public_url=f"http://127.0.0.1:{port}", allowed_hosts=(f"127.0.0.1:{port}",),
                       metrics_port=metrics_port)  # fmt: skip
    server = TeamServer(settings, team, drain_s=options.pop("drain_s", 0), **options)
    ended = anyio.Event()
    with anyio.fail_after(50):
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()
            running = Running(server, port, scope.cancel, ended)

            async def serve() -> None:
                with scope:
                    await serve_team(
                        server, "127.0.0.1", port, mcp_app=app(port), routes=routes or (), hurry=running.again.wait
                    )
                ended.set()

            group.start_soon(serve)
            async with running.http:
                while True:
                    try:
                        await running.http.get("/healthz")
                        break
                    except httpx.TransportError:
                        await anyio.sleep(0.01)
                yield running
                scope.cancel()
                await ended.wait()


@pytest.fixture
async def settings(state: Path) -> Settings:
    """Of the embedded company, with a journal that is there."""
    made = Settings.load(stored=False).model_copy(update={"fraction_base_url": "http://embedded.sandbox"})
    journal = await Journal.open("", made.state_folder())
    await journal.aclose()
    return made


# -------------------------------------------------------------------------------------------------------- who and what


async def test_whoever_has_a_token_is_answered_in_both_eras_and_nobody_else(settings: Settings) -> None:
    slow = Slow()
    slow.go_on.set()
    async with serving(settings, lambda port: with_sign_in(slow.server, port)) as running:
        for older in (False, True):
            answer = await running.call(older=older)
            assert (answer.status_code, "done" in answer.text) == (200, True)
            refused = await running.call("anna:wrong", older=older)
            assert (refused.status_code, "resource_metadata" in refused.headers["www-authenticate"]) == (401, True)
        assert (await running.call(Origin="https://evil.example")).status_code == 403
        assert (await running.call(Host="evil.example")).status_code == 421
        assert (await running.call(arguments={"pad": "x" * 1_048_576})).status_code == 413
    assert slow.begun == 2


async def test_pages_of_others_go_before_the_sdks_and_are_held_to_the_same_bounds(settings: Settings) -> None:
    async def page(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    async def large() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65_536

    routes = [Route("/sign-in", page, methods=["POST"])]
    async with serving(settings, lambda port: with_sign_in(Slow().server, port), routes=routes) as running:
        assert (await running.http.post("/sign-in", content=b"abc")).text == "3"
        assert (await running.http.post("/sign-in", content=large())).status_code == 413
        assert (await running.http.get("/metrics")).status_code == 404
        resource = await running.http.get("/.well-known/oauth-protected-resource/mcp")
        assert resource.status_code == 200


# ---------------------------------------------------------------------------------------------------------------- turns


async def test_a_person_with_too_many_calls_is_told_when_to_try_again_and_others_are_answered(
    settings: Settings,
) -> None:
    slow = Slow()
    limits = Limits(each_at_once=2, each_waiting=0)
    async with (
        serving(settings, lambda port: with_sign_in(slow.server, port), limits=limits) as running,
        anyio.create_task_group() as group,
    ):
        for _ in range(2):
            group.start_soon(running.call)
        await slow.until_begun(2)
        for older in (False, True):
            refused = await running.call(older=older)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
            assert refused.json()["error"]["message"].endswith("Nothing was done.")
            assert refused.json()["id"] == 7 or refused.json()["id"] is None
        group.start_soon(running.call, "boris:ok")
        await slow.until_begun(3)
        slow.go_on.set()


@pytest.mark.parametrize("older", [False, True])
async def test_a_call_that_takes_too_long_is_given_up_in_words_and_its_commit_ends_first(
    settings: Settings, older: bool
) -> None:
    slow = Slow()
    slow.commit_s = 0.3
    async with serving(settings, lambda port: with_sign_in(slow.server, port), limits=Limits(call_s=0.1)) as running:
        answer = await running.call(older=older)
        assert "get_write_status tells what became of it" in answer.text
        assert '"id": 7' in answer.text
        assert running.server.turns.under_way == 0
    assert slow.committed == 1


# ------------------------------------------------------------------------------------------------------------- health


async def test_a_server_without_a_journal_lives_and_is_not_ready(state: Path) -> None:
    (state / "journal.sqlite3").write_bytes(b"no database at all, but long enough to be taken for one" * 20)
    (state / "journal.sqlite3").chmod(0o600)
    broken = Settings.load(stored=False)
    async with serving(broken, lambda port: with_sign_in(Slow().server, port)) as running:
        assert (await running.http.get("/healthz")).status_code == 200
        answer = await running.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["wrong"]["journal"]
    assert str(state) not in answer.text


async def test_readiness_says_which_part_is_wrong(settings: Settings) -> None:
    said = ["the issuer's keys cannot be had"]

    async def keys() -> str:
        return said[0]

    async with serving(settings, lambda port: with_sign_in(Slow().server, port), checks={"keys": keys}) as running:
        answer = await running.http.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "wrong": {"keys": said[0]}})
        said[0] = ""
        running.server.health._known = None
        assert (await running.http.get("/readyz")).json() == {"ready": True}


# ------------------------------------------------------------------------------------------------------------- the end


async def test_at_the_end_it_is_unready_first_and_what_is_under_way_is_answered(settings: Settings) -> None:
    slow, told = Slow(), list[str]()
    async with (
        serving(settings, lambda port: with_sign_in(slow.server, port), drain_s=1.0) as running,
        anyio.create_task_group() as group,
    ):

        async def call() -> None:
            told.append((await running.call()).text)

        group.start_soon(call)
        await slow.until_begun(1)
        running.end()
        while (await running.http.get("/readyz")).status_code != 503:
            pass
        assert (await running.http.get("/readyz")).json()["wrong"] == {"server": "it is ending"}
        assert (await running.http.get("/healthz")).status_code == 200
        await running.server.closing.wait()
        while await accepts(running.port):  # uvicorn looks ten times a second whether it is to end
            pass
        slow.go_on.set()
    assert "done" in told[0]


async def accepts(port: int) -> bool:
    try:
        await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("hurried", [False, True], ids=["its time is over", "a second signal"])
async def test_the_end_is_bounded_and_a_commit_ends_first(settings: Settings, hurried: bool) -> None:
    slow, told = Slow(), list[str]()
    slow.commit_s = 0.5
    async with (
        serving(
            settings, lambda port: with_sign_in(slow.server, port),
            drain_s=30 if hurried else 0, grace_s=25 if hurried else 0.1,
        ) as running,
        anyio.create_task_group() as group,
    ):  # fmt: skip

        async def call() -> None:
            told.append((await running.call()).text)

        group.start_soon(call)
        await slow.until_begun(1)
        running.end()
        if hurried:
            running.again.set()
        await running.ended.wait()
    assert slow.committed == 1
    assert "the server is ending" in told[0]


# ------------------------------------------------------------------------------------------------- metrics and the log


async def test_what_is_counted_is_told_on_a_port_of_its_own_and_names_nobody(state: Path) -> None:
    real, metrics_port = checked_settings(sandbox=True), free_port()
    await (await Journal.open("", real.state_folder())).aclose()
    async with (
        runtime_of(real) as runtime,
        serving(
            real, lambda port: with_sign_in(create_server(runtime), port), metrics_port=metrics_port,
            live_sessions=lambda: 3,
        ) as running,
    ):  # fmt: skip
        for _ in range(2):
            priced = await running.call(tool="search_parts", arguments={"query": "WIDGET-001"})
            assert "WIDGET-001" in priced.text
        assert (await running.call(tool="get_part", arguments={"part": "no such part"})).status_code == 200
        assert (await running.call(tool="get_part", arguments={"no": "such argument"})).status_code == 200
        running.server.metrics.signed_in("refused")
        told = (await running.http.get(f"http://127.0.0.1:{metrics_port}/metrics")).text
    lines = told.splitlines()
    assert 'fraction_mcp_call_seconds_count{outcome="ok",tool="search_parts"} 2.0' in lines
    assert 'fraction_mcp_sign_ins_total{outcome="refused"} 1.0' in lines
    assert "fraction_mcp_live_sessions 3.0" in lines
    assert 'fraction_mcp_writes{state="awaiting_approval"} 0.0' in lines
    assert any(
        line.startswith('fraction_mcp_upstream_seconds_count{endpoint="/parts",method="GET",status="2xx"')
        for line in lines
    )
    assert any(line.startswith('fraction_mcp_upstream_budget_remaining{system="fractionerp"}') for line in lines)
    for secret in ("WIDGET", "anna", "demo@", "no such part"):
        assert secret not in told


@pytest.mark.parametrize("older", [False, True])
async def test_the_line_of_a_call_has_the_id_of_its_answer(
    state: Path, capsys: pytest.CaptureFixture[str], older: bool
) -> None:
    real = checked_settings(sandbox=True)
    before = list(logging.getLogger().handlers)
    set_up_logs("INFO", "text")
    try:
        async with (
            runtime_of(real) as runtime,
            serving(real, lambda port: with_sign_in(create_server(runtime), port)) as running,
        ):
            answers = [await running.call(tool="search_parts", arguments={"query": f"W{n}"}, older=older) for n in "12"]
    finally:
        logging.getLogger().handlers = before
        logging.getLogger().setLevel(logging.WARNING)
    ids = [answer.headers["x-request-id"] for answer in answers]
    lines = [line for line in capsys.readouterr().err.splitlines() if "tool=search_parts" in line]
    assert [f"[{request_id}]" in line for request_id, line in zip(ids, lines, strict=True)] == [True, True]
