"""The HTTP face: streamable HTTP at /mcp, on a loopback address.

Nobody signs in here (`server/team/` is for that), so whoever can reach the port is a client: other addresses are
refused, and a name that somebody made lead here (DNS rebinding) is not answered. What such a client may do is
`server/calls.py`'s to decide.
"""

import logging
import socket
import sys

import anyio
from mcp.server import streamable_http_manager, transport_security
from mcp.server.transport_security import TransportSecuritySettings

from fraction_mcp.errors import ConfigError
from fraction_mcp.loopback import ADDRESSES, Server, authorities, listening
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.app import create_server

__all__ = ["refuse_open_address", "serve_http"]

_WHERE_TO_DECIDE = (
    "fraction-mcp: over HTTP no form is sent; a write waits until a person decides: `fraction-mcp approvals` on this "
    "machine opens the inbox\n"
)
_MOST_CONNECTIONS = 256
_MOST_SESSIONS = 1_000  # of older clients, each with tasks of its own; a session that is idle ends after half an hour
_LARGEST_REQUEST = 1_048_576


def refuse_open_address(host: str) -> None:
    """Raises ConfigError for an address that others can reach, or that is not spelt as one of this machine's own."""
    if host not in ADDRESSES:
        raise ConfigError(
            f"--host {host} could be reached by others, or is not spelt as this server knows it: without a sign-in use "
            f"{', '.join(ADDRESSES[:-1])} or {ADDRESSES[-1]}; with --auth sign-in or --auth jwt others may come"
        )


async def serve_http(runtime: Runtime, host: str, port: int) -> None:
    """Serve any number of clients until interrupted. Raises ConfigError for a port that cannot be had."""
    refuse_open_address(host)
    runtime.settings = runtime.settings.model_copy(update={"open_inbox": False})  # whose browser would it be?
    listener = listening(host, port, what="the server")
    port = listener.getsockname()[1]
    async with runtime:
        app = create_server(runtime).streamable_http_app(
            transport_security=_only_named(authorities(port)),
            max_request_body_size=_LARGEST_REQUEST,
            max_sessions=_MOST_SESSIONS,
        )
        shown = f"[{host}]" if ":" in host else host
        sys.stderr.write(f"fraction-mcp listens on http://{shown}:{port}/mcp\n")
        if runtime.settings.confirm == "human" and not runtime.settings.read_only:
            sys.stderr.write(_WHERE_TO_DECIDE)
        if runtime.settings.confirm == "two_step" and not runtime.settings.read_only:
            sys.stderr.write("fraction-mcp: under two_step, whoever reaches this port can confirm its own writes\n")
        await _until_cancelled(Server(app, most=_MOST_CONNECTIONS, lifespan=True), listener)


async def _until_cancelled(server: Server, listener: socket.socket) -> None:
    """Serve; when cancelled, end in order: what is being answered has a few seconds to be told."""
    async with anyio.create_task_group() as group:

        async def serve() -> None:
            with anyio.CancelScope(shield=True):
                await server.serve(sockets=[listener])
            group.cancel_scope.cancel()

        group.start_soon(serve)
        try:
            await anyio.sleep_forever()
        finally:
            server.should_exit = True


def _only_named(names: list[str]) -> TransportSecuritySettings:
    """What the SDK checks every request against, stated in full: its defaults depend on how the address was spelt."""
    for refusing in (transport_security, streamable_http_manager):  # with a line in the log for each refusal
        logging.getLogger(refusing.__name__).setLevel(logging.ERROR)
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=names,
        allowed_origins=[f"http://{name}" for name in names],
    )
