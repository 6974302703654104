"""The HTTP face: streamable HTTP at /mcp, on a loopback address.

Without a sign-in of its own this server would hand its ERP account to whoever can reach the port, so every other
address is refused. `Host` and `Origin` are checked by the SDK against DNS rebinding.
"""

import ipaddress
import sys

import uvicorn

from fraction_mcp.errors import ConfigError
from fraction_mcp.office import Office
from fraction_mcp.server import create_server

__all__ = ["refuse_open_address", "serve_http"]


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
    """Serve any number of clients until interrupted."""
    refuse_open_address(host)
    async with office:
        app = create_server(office).streamable_http_app(host=host)
        # Requests are not logged: uvicorn's access log goes to stdout, and would hold nothing that ours does not.
        server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False))
        shown = f"[{host}]" if ":" in host else host
        sys.stderr.write(f"fraction-mcp listens on http://{shown}:{port}/mcp\n")
        await server.serve()
