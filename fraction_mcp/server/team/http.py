"""A team's server on a socket: its parts in the order in which a request meets them, and the order in which they end.

Takes the MCP application and the pages of others as they are, and gives them the bounds, names and limits of a server
that stands on a network. `/metrics` has a port of its own: behind a proxy every request comes from a near address, so
that none tells whether a stranger asked for it.
"""

import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from math import ceil

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

from fraction_mcp.config import Settings
from fraction_mcp.loopback import ADDRESSES, Bounds, Server, authorities, listening_to_others
from fraction_mcp.operations.writes.journal_health import JournalHealth
from fraction_mcp.server.team.calls_in_turn import CallsInTurn
from fraction_mcp.server.team.front import LARGEST_HEAD, Front
from fraction_mcp.server.team.health import Check, Health
from fraction_mcp.server.team.metrics import Metrics
from fraction_mcp.server.team.options import TeamOptions, said_at_start
from fraction_mcp.server.team.proxies import Proxies
from fraction_mcp.server.team.turns import Limits, Turns

__all__ = ["TeamServer", "serve_team"]

_MOST_CONNECTIONS = 1_024
_MOST_OF_AN_ADDRESS = 256
_MOST_OF_METRICS = 16
_DRAIN_S = 2.0  # a proxy that looks at /readyz sends nothing more after it
_GRACE_S = 25.0  # what is being answered then has so long; a commit has longer (FRACTION_MCP_TIMEOUT_S)


class TeamServer:
    """What the parts share: make it first, hand `metrics` to whoever has something to count, then `serve_team`.

    `checks` are further parts of /readyz; the journal is one already. `live_sessions` tells how many people's ERP
    sessions are open in this process.
    """

    def __init__(
        self,
        settings: Settings,
        options: TeamOptions,
        *,
        live_sessions: Callable[[], int] = lambda: 0,
        checks: Mapping[str, Check] | None = None,
        limits: Limits | None = None,
        drain_s: float = _DRAIN_S,
        grace_s: float = _GRACE_S,
    ) -> None:
        self.settings = settings
        self.options = options
        self.turns = Turns(limits or Limits())
        self.proxies = Proxies(options.trusted_proxies)
        self.journal = JournalHealth(settings.database_url.get_secret_value(), settings.state_folder())
        self.health = Health({"journal": self.journal.wrong, **(checks or {})})
        self.metrics = Metrics(writes=self.journal.by_state, live_sessions=live_sessions, turns=self.turns)
        self.closing = anyio.Event()  # set when whoever only listens (the inbox's live pages) is to be let go
        self.drain_s = drain_s
        self.grace_s = grace_s

    def app(self, mcp_app: Starlette, routes: Sequence[BaseRoute], names: Sequence[str]) -> Front:
        """The whole application. `mcp_app` is the SDK's, with its check of tokens, not yet asked anything; `routes` go
        before its own; `names` are those of this machine that it answers to besides the options'."""
        mcp_app.user_middleware.append(
            Middleware(CallsInTurn, turns=self.turns, refused=self.metrics.refused)  # innermost: it knows who asks
        )

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with mcp_app.router.lifespan_context(mcp_app):
                yield

        whole = Starlette(
            routes=[*self.health.routes(), *routes, Mount("/", mcp_app)],
            lifespan=lifespan,
        )
        origins = [*self.options.allowed_origins, *(f"http://{name}" for name in names)]
        hosts = [*self.options.allowed_hosts, *names]
        return Front(whole, proxies=self.proxies, hosts=hosts, origins=origins)

    async def aclose(self) -> None:
        await self.journal.aclose()


async def serve_team(
    server: TeamServer,
    host: str,
    port: int,
    *,
    mcp_app: Starlette,
    routes: Sequence[BaseRoute] = (),
    hurry: Callable[[], Awaitable[None]] = anyio.sleep_forever,
) -> None:
    """Serve until cancelled, then end in order: /readyz says so, no more is accepted, what is under way is answered
    within bounds. `hurry` returns where somebody does not want to wait for that; neither tears a write.

    Raises ConfigError for a port that cannot be had.
    """
    listener = listening_to_others(host, port, what="the server")
    port = listener.getsockname()[1]
    options = server.options
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.aclose)
        metrics = _metrics_listener(options)
        stack.enter_context(server.metrics.counting())
        app = server.app(mcp_app, routes, authorities(port) if host in ADDRESSES else ())
        for line in (
            f"fraction-mcp listens on http://{_shown(host)}:{port}/mcp",
            *said_at_start(server.settings, options),
        ):
            sys.stderr.write(f"{line}\n")
        bounds = Bounds(
            each=_MOST_OF_AN_ADDRESS,
            is_proxy=server.proxies.is_proxy,
            largest_head=LARGEST_HEAD,
            grace_s=ceil(server.grace_s + server.settings.timeout_s),  # what was given up, and a commit that ends first
        )
        main = Server(app, most=_MOST_CONNECTIONS, lifespan=True, bounds=bounds)
        beside = None
        if metrics is not None:
            number = metrics.getsockname()[1]
            sys.stderr.write(f"fraction-mcp: metrics on http://{_shown(options.metrics_host)}:{number}/metrics\n")
            beside = (Server(Starlette(routes=server.metrics.routes()), most=_MOST_OF_METRICS, lifespan=False), metrics)
        await _until_cancelled(server, (main, listener), beside, hurry)


def _metrics_listener(options: TeamOptions) -> socket.socket | None:
    if options.metrics_port is None:
        return None
    return listening_to_others(options.metrics_host, options.metrics_port, what="the metrics")


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _until_cancelled(
    server: TeamServer,
    main: tuple[Server, socket.socket],
    beside: tuple[Server, socket.socket] | None,
    hurry: Callable[[], Awaitable[None]],
) -> None:
    async with anyio.create_task_group() as group:

        async def serve(http_server: Server, listener: socket.socket) -> None:
            with anyio.CancelScope(shield=True):
                await http_server.serve(sockets=[listener])
            group.cancel_scope.cancel()

        for pair in (main, beside):
            if pair is not None:
                group.start_soon(serve, *pair)
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await _ended(server, main[0], hurry)
            for pair in (main, beside):
                if pair is not None:
                    pair[0].should_exit = True


async def _ended(server: TeamServer, main: Server, hurry: Callable[[], Awaitable[None]]) -> None:
    """No more comes in, and what is under way is answered, or given up when its time is over."""
    server.health.ending = True
    async with anyio.create_task_group() as group:

        async def hurried() -> None:
            await hurry()
            _let_listeners_go(server)
            server.turns.cut()
            group.cancel_scope.cancel()

        group.start_soon(hurried)
        await anyio.sleep(server.drain_s)
        _let_listeners_go(server)
        main.should_exit = True
        with anyio.move_on_after(server.grace_s):
            await server.turns.over()
        server.turns.cut()
        group.cancel_scope.cancel()


def _let_listeners_go(server: TeamServer) -> None:
    server.closing.set()
    server.turns.cut_streams()
