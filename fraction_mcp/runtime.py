"""One process's working place: the ERPs' context, the journal and the inbox, each set up when it is first needed.

Between what decides (operations) and the ways in (server, web, cli), which all need the same one.
Nothing is loaded before it is used: httpx waits for the first call, SQLAlchemy for the first write, the inbox for the
first write that nobody could be asked about.
"""

import logging
import os
import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import anyio
from anyio.abc import TaskGroup

from fraction_mcp import __version__
from fraction_mcp.config import Settings
from fraction_mcp.os_account import who_is_here
from fraction_mcp.threads import left_behind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from typing import Any

    from starlette.types import ASGIApp

    from fraction_mcp.approvals.process import InboxProcess
    from fraction_mcp.approvals.webhook import Webhook
    from fraction_mcp.erp import Erp
    from fraction_mcp.erp.client import ErpClient
    from fraction_mcp.operations.context import ErpContext
    from fraction_mcp.operations.writes.approvers import Approvers
    from fraction_mcp.operations.writes.batch import Batch
    from fraction_mcp.operations.writes.journal import Journal
    from fraction_mcp.operations.writes.plan import Plan
    from fraction_mcp.operations.writes.service import WriteService
    from fraction_mcp.operations.writes.write import Write

__all__ = ["Runtime", "Runtimes", "Seat"]

logger = logging.getLogger(__name__)


class Runtimes(Protocol):
    """Whose runtime a call is carried out in. On a desk there is one, of whoever runs the server."""

    @property
    def settings(self) -> Settings: ...

    async def of_call(self, ctx: object) -> "Runtime":
        """The runtime of whoever makes the call of this context (of the MCP server, which this floor does not know)."""
        ...


@dataclass(frozen=True, slots=True)
class Seat:
    """One person's place in a team: what the team has set up for all, and its runtimes neither make nor close.

    `asker` is the person as the journal has them and `subject` as the rules about approvers do; `erps` are theirs, each
    with its memory. Of the `journal` they see what they asked for, and what they may be the one to approve. What waits
    is decided at `address`, the team's inbox (empty: there is none), and approved writes are sent by the team's watch.
    `once` tells whether nobody did before, at any replica, what a mark names, which counts until a moment.
    """

    asker: str
    subject: str
    erps: "tuple[Erp, ...]"
    journal: "Journal"
    address: str
    once: "Callable[[str, float], Awaitable[bool]]"

    def address_of(self, write_id: str) -> str:
        return f"{self.address}/writes/{write_id}" if self.address else ""


class Runtime:
    """An async context manager: what it has set up is cleared away when it is left. With a `seat`, that of one person
    of a team; else that of whoever runs this process."""

    def __init__(
        self,
        settings: Settings,
        sandbox: "ASGIApp | None" = None,
        *,
        clock: "Callable[[], float]" = time.time,
        inbox_command: "Sequence[str]" = (),
        seat: Seat | None = None,
    ) -> None:
        """`inbox_command` starts the inbox as a process of its own; without one, none is opened."""
        self.settings = settings
        self._seat = seat
        self._approvers = _approvers(settings)  # a wrong rule stops the start
        self._clock = clock  # the one by which everything is decided
        self._sandbox = sandbox
        self._lock = anyio.Lock()
        self._context: ErpContext | None = None
        self._service: WriteService | None = None
        self._clients: list[ErpClient] = []
        self._tasks: TaskGroup
        self._under_way = 0
        self._watching = False
        self._inbox_command = inbox_command
        self._inbox_process: InboxProcess | None = None
        self._webhook: Webhook | None = None
        self._said_no_browser = False

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
            if self._service is not None and self._seat is None:
                await self._service.journal.aclose()

    async def of_call(self, ctx: object) -> Self:  # noqa: ARG002 - whoever calls, it is this one; see `Runtimes`
        return self

    @property
    def is_of_a_team(self) -> bool:
        """Whether its person has signed in, instead of having started this process."""
        return self._seat is not None

    async def context(self) -> "ErpContext":
        if self._context is None:
            # A keychain may ask its person first: the session goes on meanwhile, and may end.
            await left_behind(self.settings.fetch_secrets)
        if self._context is None:
            self._context = self._set_up()
        return self._context

    def _set_up(self) -> "ErpContext":
        from fraction_mcp.operations.context import ErpContext  # noqa: PLC0415 - see the docstring

        settings = self.settings
        return ErpContext.set_up(
            *(self._seat.erps if self._seat else self._own_erps()),
            currency=settings.fraction_currency,
            confirm=settings.confirm,
            read_only=settings.read_only,
            version=__version__,
            clock=self._clock,
        )

    def _own_erps(self) -> "Iterator[Erp]":
        from fraction_mcp.erp.cache import RememberingErp  # noqa: PLC0415 - see the docstring
        from fraction_mcp.erp.client import fraction_client, fracttal_client  # noqa: PLC0415

        settings = self.settings
        if settings.fraction_configured:
            self._clients.append(fraction_client(settings, self._sandbox, self._clock))
        if settings.fracttal_configured:
            self._clients.append(fracttal_client(settings, self._sandbox, self._clock))
        for client in self._clients:
            yield RememberingErp(client, keep_s=settings.cache_s)

    async def write_service(self) -> "WriteService":
        """The hand in the journal, which is opened (and made, where it is new) at the first call."""
        context = await self.context()
        async with self._lock:
            if self._service is None:
                from fraction_mcp.operations.writes.approvers import Viewer  # noqa: PLC0415 - see the docstring
                from fraction_mcp.operations.writes.service import Terms, WriteService  # noqa: PLC0415

                settings = self.settings
                # A write may be sent twice under one claim (a 401 in between), with a sign-in before each.
                terms = Terms(wait_s=settings.approval_ttl_s, lease_s=4 * settings.timeout_s + 5)
                self._service = WriteService(
                    context,
                    self._seat.journal if self._seat else await self._own_journal(),
                    replan=_replan,
                    terms=terms,
                    asker=self._seat.asker if self._seat else who_is_here(),
                    to_its_end=self._to_its_end,
                    rules=self._approvers,
                    viewer=Viewer(self._seat.asker, self._seat.subject) if self._seat else None,
                    place=self._place(),
                )
            return self._service

    async def _own_journal(self) -> "Journal":
        from fraction_mcp.operations.writes.journal import Journal  # noqa: PLC0415 - see the docstring

        settings = self.settings
        return await Journal.open(settings.database_url.get_secret_value(), settings.state_folder(), clock=self._clock)

    def _place(self) -> str:
        """Where a person decides, in words for the assistant to pass on; empty where that is not known."""
        if self.settings.confirm != "human":
            return ""
        if self._seat:  # an address that is worth nothing without a person's sign-in
            at = f"at {self._seat.address}" if self._seat.address else "of whoever runs this server"
            return f"in the approval inbox {at}"
        return _ON_ITS_PAGE if self._inbox() else ""

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
        if not self._watching and self._seat is None:
            self._watching = True
            self._tasks.start_soon(self._watch)

    async def _watch(self) -> None:
        try:
            service = await self.write_service()
            from fraction_mcp.approvals.senders import heartbeat  # noqa: PLC0415 - see the docstring

            async with anyio.create_task_group() as group:
                if not service.context.read_only:
                    group.start_soon(heartbeat, self.settings.state_folder(), service.identities())
                await service.watch()
                group.cancel_scope.cancel()
        except Exception:  # the writes keep waiting; whoever asks about one sees to it then
            logger.exception("watching the writes that wait failed")
        finally:
            self._watching = False

    async def address_of(self, write: "Write") -> str:
        """The address of a write's page in the inbox of this state folder; empty where none can be opened here.

        It holds no secret: to a browser that is not signed in, the page shows nothing of the write.
        """
        if self._seat:
            return self._seat.address_of(write.id)
        inbox = self._inbox()
        known = await inbox.found() if inbox else None
        return f"{known.address}/writes/{write.id}" if known else ""

    async def open_inbox(self, *, again: bool = False) -> None:
        """Show the person at this machine what waits: in their browser, where there is one. `again`: it was asked about
        only, and they may have been shown it before."""
        inbox = self._inbox()
        if inbox is not None:
            self._tasks.start_soon(self._shown, inbox.show_again if again else inbox.show)
        elif self.settings.open_inbox and self._inbox_command and not self._said_no_browser:
            self._said_no_browser = True
            sys.stderr.write(_NO_BROWSER)

    async def tell_webhook(self, batch: "Batch") -> None:
        """Tell the operator's webhook that these writes wait, in the background."""
        address = self.settings.notify_url.get_secret_value()
        if not address:
            return
        if self._webhook is None:
            from fraction_mcp.approvals.webhook import Team, Webhook  # noqa: PLC0415 - see the docstring

            seat = self._seat
            team = Team(seat.subject, seat.address_of, seat.once) if seat else None
            self._webhook = Webhook(address, self.settings.secret_keys(), team, clock=self._clock)
        self._tasks.start_soon(self._notify_webhook, self._webhook, batch)

    async def _notify_webhook(self, webhook: "Webhook", batch: "Batch") -> None:
        try:
            with anyio.CancelScope(shield=True):
                waiting = await (await self.write_service()).count_waiting()
            await webhook.tell(batch, max(waiting, len(batch.waiting)))
        except Exception:
            logger.exception("the webhook could not be told that a write waits")

    async def _shown(self, show: "Callable[[], Awaitable[bool]]") -> None:
        try:
            await show()
        except Exception:
            logger.exception("the approval inbox could not be opened; `fraction-mcp approvals` opens it")

    def _inbox(self) -> "InboxProcess | None":
        if not self.settings.open_inbox or not self._inbox_command:
            return None
        if self._inbox_process is None:
            from fraction_mcp.approvals.browser import browser_is_there  # noqa: PLC0415 - see the docstring
            from fraction_mcp.approvals.process import InboxProcess  # noqa: PLC0415

            if not browser_is_there(os.environ):
                return None
            self._inbox_process = InboxProcess(self.settings.state_folder(), self._inbox_command)
        return self._inbox_process


_ON_ITS_PAGE = "on the page “Approval inbox”, opened in the browser of the computer where this server runs"
_NO_BROWSER = (
    "fraction-mcp: a write waits for a person, and there is no browser to show it in; the link that `fraction-mcp "
    "approvals` prints opens the approval inbox\n"
)


def _approvers(settings: Settings) -> "Approvers | None":
    if not settings.approvers.strip():
        return None
    from fraction_mcp.operations.writes.approvers import Approvers  # noqa: PLC0415 - only where there are rules

    return Approvers.read(settings.approvers)


async def _replan(context: "ErpContext", tool: str, arguments: "Mapping[str, Any]") -> "Plan":
    from fraction_mcp.errors import ConsentError  # noqa: PLC0415 - see the docstring
    from fraction_mcp.tools.arguments import read_arguments  # noqa: PLC0415
    from fraction_mcp.tools.catalogue import catalogue  # noqa: PLC0415
    from fraction_mcp.values.text import quoted  # noqa: PLC0415

    spec = catalogue().get(tool)
    if spec is None:  # asked for by another version, or changed since
        raise ConsentError(f"this version has no tool {quoted(tool)}")
    return await spec.plan(context, read_arguments(spec, arguments))
