"""`approvals`: the approval inbox, served from this terminal until it is interrupted."""

import sys

import anyio

from fraction_mcp.cli.serve import runtime_for
from fraction_mcp.cli.signals import run
from fraction_mcp.logs import set_up_logs
from fraction_mcp.runtime import Runtime

__all__ = ["approvals"]


def approvals(*, port: int, no_open: bool, for_servers: bool, sandbox: bool, profile: str) -> int:
    """`for_servers`: in the background, for those of this state folder: one of them, which ends by itself."""
    runtime = runtime_for(sandbox=sandbox, profile=profile)
    set_up_logs(runtime.settings.log_level, runtime.settings.log_format)
    return _for_servers(runtime) if for_servers else run(_serve, runtime, port, not no_open)


def _for_servers(runtime: Runtime) -> int:
    from fraction_mcp.approvals.process import is_only_one  # noqa: PLC0415 - most never need it

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
