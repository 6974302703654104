"""`approvals`: the approval inbox, served from this terminal until it is interrupted."""

import logging
import sys

import anyio

from fraction_mcp.cli.serve import runtime_for
from fraction_mcp.cli.signals import run
from fraction_mcp.runtime import Runtime

__all__ = ["approvals", "approvals_for_servers"]


def approvals(*, port: int, open_browser: bool, sandbox: bool) -> int:
    runtime = runtime_for(sandbox=sandbox)
    logging.basicConfig(
        level=runtime.settings.log_level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    return run(_serve, runtime, port, open_browser)


def approvals_for_servers(*, sandbox: bool) -> int:
    """The inbox of this state folder's servers, in the background: one of them, which ends by itself."""
    from fraction_mcp.approvals.process import is_only_one  # noqa: PLC0415 - most never need it

    runtime = runtime_for(sandbox=sandbox)
    logging.basicConfig(level=runtime.settings.log_level, stream=sys.stderr)
    if not is_only_one(runtime.settings.state_folder()):
        return 0
    return run(_serve_for_servers, runtime)


async def _serve_for_servers(runtime: Runtime) -> int:
    from fraction_mcp.approvals import serve_for_servers  # noqa: PLC0415

    async with runtime:
        service = await runtime.write_service()
        async with anyio.create_task_group() as group:
            group.start_soon(service.watch_for_ever)
            await serve_for_servers(service, runtime.settings.state_folder())
            group.cancel_scope.cancel()
    return 0


async def _serve(runtime: Runtime, port: int, open_browser: bool) -> int:
    from fraction_mcp.approvals import serve_inbox  # noqa: PLC0415 - a wrong setting is told before it is loaded

    async with runtime:
        service = await runtime.write_service()
        async with anyio.create_task_group() as group:
            group.start_soon(service.watch_for_ever)
            try:
                folder = runtime.settings.state_folder()
                await serve_inbox(service, folder, port=port, open_browser=open_browser, announce=_announce)
            finally:
                group.cancel_scope.cancel()
    return 0


def _announce(link: str) -> None:
    sys.stderr.write(
        f"The approval inbox is open until you press Ctrl-C. This link signs in one browser, once:\n  {link}\n"
    )
    sys.stderr.flush()
