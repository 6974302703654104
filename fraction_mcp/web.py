"""The HTTP face: streamable HTTP at /mcp, on a loopback address.

Without a sign-in of its own this server would hand its ERP account to whoever can reach the port, so every other
address is refused. `Host` and `Origin` are checked by the SDK against DNS rebinding.
"""

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import uvicorn

from fraction_mcp.errors import ConfigError
from fraction_mcp.office import Office
from fraction_mcp.server import create_server

__all__ = ["refuse_open_address", "serve_http"]

_GRACE_S = 5


def refuse_open_address(host: str) -> None:
    """Raises ConfigError for an address that others can reach."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError(
            f"--host {host} could be reached by others, and this server has no sign-in of its own yet: "
            "use 127.0.0.1, ::1 or localhost"
        )


async def serve_http(office: Office, host: str, port: int) -> None:
    """Serve any number of clients until interrupted. Raises ConfigError for a port that cannot be had."""
    refuse_open_address(host)
    office.settings = office.settings.model_copy(update={"open_inbox": False})  # whose browser would it be?
    listener = _listening(host, port)
    async with office:
        app = create_server(office).streamable_http_app(host=host)
        # Requests are not logged: uvicorn's access log goes to stdout, and would hold nothing that ours does not.
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_S)
        shown = f"[{host}]" if ":" in host else host
        sys.stderr.write(f"fraction-mcp listens on http://{shown}:{listener.getsockname()[1]}/mcp\n")
        await _until_cancelled(_Server(config), listener)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the command's (cli/signals.py): they cancel what serves."""
        yield


async def _until_cancelled(server: uvicorn.Server, listener: socket.socket) -> None:
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


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that what is announced is true. Port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, since asyncio turns Nagle's algorithm off only then: else every answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(f"port {port} on {host} cannot be had: {error.strerror or error}") from error
    return listener
