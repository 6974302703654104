"""One process's working place: the ERPs' context, the journal and the inbox, each set up when it is first needed.

Between what decides (operations) and the ways in (server, web, cli), which all need the same one.
Nothing is loaded before it is used: httpx waits for the first call, SQLAlchemy for the first write, the inbox for the
first write that nobody could be asked about.
"""

import logging
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio
from anyio.abc import TaskGroup

from fraction_mcp import __version__
from fraction_mcp.config import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

    from starlette.types import ASGIApp

    from fraction_mcp.erp.client import ErpClient
    from fraction_mcp.operations.context import ErpContext
    from fraction_mcp.operations.writes.plan import Plan
    from fraction_mcp.operations.writes.service import WriteService
    from fraction_mcp.operations.writes.states import Write

__all__ = ["Runtime"]

logger = logging.getLogger(__name__)


class Runtime:
    """An async context manager: what it has set up is cleared away when it is left."""

    def __init__(
        self, settings: Settings, sandbox: "ASGIApp | None" = None, *, clock: "Callable[[], float]" = time.time
    ) -> None:
        self.settings = settings
        self._clock = clock  # by which everything about writes is counted
        self._sandbox = sandbox
        self._lock = anyio.Lock()
        self._context: ErpContext | None = None
        self._service: WriteService | None = None
        self._clients: list[ErpClient] = []
        self._tasks: TaskGroup
        self._under_way = 0
        self._watching = False
        self._inbox_open = False
        self._recall = anyio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        if self._under_way:
            logger.warning("a write is being sent: it ends first, which FRACTION_MCP_TIMEOUT_S bounds")
        try:
            return await self._tasks.__aexit__(kind, error, trace)
        finally:
            for client in self._clients:
                await client.aclose()
            if self._service is not None:
                await self._service.journal.aclose()

    async def context(self) -> "ErpContext":
        if self._context is None:
            self._context = self._set_up()
        return self._context

    def _set_up(self) -> "ErpContext":
        from fraction_mcp.erp.cache import RememberingErp  # noqa: PLC0415 - see the docstring
        from fraction_mcp.erp.client import fraction_client, fracttal_client  # noqa: PLC0415
        from fraction_mcp.operations.context import ErpContext  # noqa: PLC0415

        settings = self.settings
        if settings.fraction_configured:
            self._clients.append(fraction_client(settings, self._sandbox))
        if settings.fracttal_configured:
            self._clients.append(fracttal_client(settings, self._sandbox))
        return ErpContext.set_up(
            *(RememberingErp(client, keep_s=settings.cache_s) for client in self._clients),
            currency=settings.fraction_currency,
            confirm=settings.confirm,
            read_only=settings.read_only,
            version=__version__,
        )

    async def write_service(self) -> "WriteService":
        """The hand in the journal, which is opened (and made, where it is new) at the first call."""
        context = await self.context()
        async with self._lock:
            if self._service is None:
                from fraction_mcp.operations.writes.journal import Journal  # noqa: PLC0415
                from fraction_mcp.operations.writes.service import Terms, WriteService  # noqa: PLC0415 - see the docstring
                from fraction_mcp.os_account import who_is_here  # noqa: PLC0415

                settings = self.settings
                # A write may be sent twice under one claim (a 401 in between), with a sign-in before each.
                terms = Terms(wait_s=settings.approval_ttl_s, lease_s=4 * settings.timeout_s + 5)
                database = settings.database_url.get_secret_value()
                journal = await Journal.open(database, settings.state_folder(), clock=self._clock)
                self._service = WriteService(
                    context,
                    journal,
                    replan=_replan,
                    terms=terms,
                    asker=who_is_here(),
                    to_its_end=self._to_its_end,
                )
            return self._service

    async def _to_its_end(self, work: "Callable[[], Awaitable[Write]]") -> "Write":
        """Run what sends a write in a task of the runtime's own, which shields itself. Whoever asked for it waits,
        unless cancelled natively, as uvicorn does it; the runtime is left only when it is over."""
        over = anyio.Event()
        came: list[Write | Exception] = []

        async def run() -> None:
            try:
                came.append(await work())
            except Exception as error:  # noqa: BLE001 - handed to whoever asked
                came.append(error)
            finally:
                self._under_way -= 1
                over.set()

        self._under_way += 1
        self._tasks.start_soon(run)
        with anyio.CancelScope(shield=True):
            await over.wait()
        if isinstance(came[0], Exception):
            raise came[0]
        return came[0]

    async def watch(self) -> None:
        """See to writes that wait, in the background, until none does."""
        if not self._watching:
            self._watching = True
            self._tasks.start_soon(self._watch)

    async def _watch(self) -> None:
        try:
            await (await self.write_service()).watch()
        except Exception:  # the writes keep waiting; whoever asks about one sees to it then
            logger.exception("watching the writes that wait failed")
        finally:
            self._watching = False

    async def address_of(self, write: "Write") -> str:  # noqa: ARG002
        return ""

    async def open_inbox(self) -> None:
        """Show the person at this machine what waits: in their browser, where there is one.

        One inbox a process; it opens the browser again for a later write that nobody is looking at.
        """
        if not self.settings.open_inbox:
            return
        if self._inbox_open:
            self._recall.set()
            return
        self._inbox_open = True
        self._tasks.start_soon(self._serve_inbox)

    async def _recalled(self) -> None:
        await self._recall.wait()
        self._recall = anyio.Event()

    async def _serve_inbox(self) -> None:
        try:
            from fraction_mcp.approvals import serve_inbox  # noqa: PLC0415 - see the docstring

            folder = self.settings.state_folder()
            await serve_inbox(await self.write_service(), folder, open_browser=True, recalled=self._recalled)
        except Exception:
            logger.exception("the approval inbox could not be opened; `fraction-mcp approvals` opens it")
            self._inbox_open = False


async def _replan(context: "ErpContext", tool: str, arguments: "Mapping[str, Any]") -> "Plan":
    from fraction_mcp.tools.arguments import read_arguments  # noqa: PLC0415 - see the docstring
    from fraction_mcp.tools.catalogue import catalogue  # noqa: PLC0415

    spec = catalogue()[tool]
    return await spec.plan(context, read_arguments(spec, arguments))
