"""What a team's server counts, as Prometheus reads it. The only importer of prometheus_client.

Labels are words of this program (tools, outcomes, error codes, endpoints' templates), never of a person, a client or an
ERP's record, so that there are few series and none tells who did what.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fraction_mcp import __version__
from fraction_mcp.erp.observed import Exchange, observing
from fraction_mcp.errors import FractionMcpError
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.wording import Outcome
from fraction_mcp.server.call_log import observers
from fraction_mcp.server.team.turns import Turns

__all__ = ["Metrics"]


_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_OUTCOMES = frozenset({"ok", "asked", "interrupted", "failed", "not_found", "ambiguous", "priced", *get_args(Outcome)})


class Metrics:
    """Counts while `counting`. `writes` and `live_sessions` are asked when somebody reads."""

    def __init__(
        self,
        *,
        writes: Callable[[], Awaitable[Mapping[State, int]]],
        live_sessions: Callable[[], int],
        turns: Turns,
    ) -> None:
        self._writes_now = writes
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        name = "fraction_mcp"
        self._calls = Histogram(
            f"{name}_call_seconds", "Calls of tools, by outcome", ("tool", "outcome"), buckets=_BUCKETS,
            registry=registry,
        )  # fmt: skip
        self._errors = Counter(
            f"{name}_call_errors", "Calls that were answered by an error", ("code",), registry=registry
        )
        self._refused = Counter(
            f"{name}_requests_refused", "Calls that found no turn or were given up", ("reason",), registry=registry
        )
        self._upstream = Histogram(
            f"{name}_upstream_seconds", "Requests to the ERPs", ("system", "method", "endpoint", "status"),
            buckets=_BUCKETS, registry=registry,
        )  # fmt: skip
        self._budget = Gauge(
            f"{name}_upstream_budget_remaining",
            "Requests that are left in the ERP's window, by its last answer to anybody here", ("system",),
            registry=registry,
        )  # fmt: skip
        self._writes = Gauge(f"{name}_writes", "Writes in the journal", ("state",), registry=registry)
        self._sign_ins = Counter(f"{name}_sign_ins", "Sign-ins", ("outcome",), registry=registry)
        live = Gauge(f"{name}_live_sessions", "People whose ERP session is open here", registry=registry)
        live.set_function(live_sessions)
        under_way = Gauge(f"{name}_calls_under_way", "Calls that are being carried out", registry=registry)
        under_way.set_function(lambda: turns.under_way)
        waiting = Gauge(f"{name}_calls_waiting", "Calls that wait for their turn", registry=registry)
        waiting.set_function(lambda: turns.waiting)
        Gauge(f"{name}_build", "1", ("version",), registry=registry).labels(__version__).set(1)

    @contextmanager
    def counting(self) -> Iterator[None]:
        observers.append(self._called)
        try:
            with observing(self._exchanged):
                yield
        finally:
            observers.remove(self._called)

    def signed_in(self, outcome: str) -> None:
        """How a sign-in ended: signed_in, refused (by the ERP), limited (by us), unavailable (the ERP failed)."""
        self._sign_ins.labels(outcome).inc()

    def refused(self, reason: str) -> None:
        """A call was not carried out: too_many_of_one, too_many, given_up."""
        self._refused.labels(reason).inc()

    def routes(self) -> list[Route]:
        return [Route("/metrics", self._render)]

    def _called(self, tool: str, outcome: str, code: str, seconds: float) -> None:
        if code:
            self._errors.labels(code).inc()
        known = "error" if code else outcome if outcome in _OUTCOMES else "other"
        self._calls.labels(tool, known).observe(seconds)

    def _exchanged(self, exchange: Exchange) -> None:
        status = "none" if exchange.status is None else f"{exchange.status // 100}xx"
        endpoint = exchange.endpoint
        self._upstream.labels(exchange.system, endpoint.method, endpoint.path, status).observe(exchange.seconds)
        if exchange.budget is not None and exchange.budget.remaining is not None:
            self._budget.labels(exchange.system).set(exchange.budget.remaining)

    async def _render(self, _: Request) -> Response:
        try:
            for state, count in (await self._writes_now()).items():
                self._writes.labels(state).set(count)
        except FractionMcpError:
            self._writes.clear()  # what is not known is left out, and /readyz says why
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)
