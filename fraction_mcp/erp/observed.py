"""Requests to the ERPs as others see them: a span for each where OpenTelemetry is set up, and facts for whoever counts.

Told are the system, the method, the endpoint's template, the status and the time: never an id, what was searched for, a
token or an account. Nothing of it goes to the ERPs: the trace ends here.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fraction_mcp.erp.budget import Budget
from fraction_mcp.erp.endpoints import Endpoint, System

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["Exchange", "observed", "observing"]


@dataclass(slots=True)
class Exchange:
    """One request. `status` is None where no answer came; `budget` what its answer said is left."""

    system: System
    endpoint: Endpoint
    status: int | None = None
    seconds: float = 0.0
    budget: Budget | None = None


_observers: list[Callable[[Exchange], None]] = []


@contextmanager
def observing(observer: Callable[[Exchange], None]) -> Iterator[None]:
    """`observer` is told of every request of this process that is over."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


@contextmanager
def observed(system: System, endpoint: Endpoint) -> Iterator[Exchange]:
    """One request is under way: whoever carries it out fills in what came of it."""
    exchange = Exchange(system, endpoint)
    began = time.perf_counter()
    span = _span(exchange)
    try:
        yield exchange
    except BaseException as error:
        if span is not None:
            span.set_attribute("error.type", type(error).__name__)  # its words may hold what was searched for
        raise
    finally:
        exchange.seconds = time.perf_counter() - began
        if span is not None:
            if exchange.status is not None:
                span.set_attribute("http.response.status_code", exchange.status)
            span.end()
        for observer in _observers:
            observer(exchange)


def _span(exchange: Exchange) -> "Span | None":
    """None where nobody has set OpenTelemetry up. Nothing is loaded for it: the API is there where somebody has."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None or isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    endpoint = exchange.endpoint
    span: Span = (
        trace.get_tracer_provider()
        .get_tracer("fraction_mcp")
        .start_span(
            f"{endpoint.method} {endpoint.path}",
            kind=trace.SpanKind.CLIENT,
            attributes={
                "fraction_mcp.system": str(exchange.system),
                "http.request.method": endpoint.method,
                "url.template": endpoint.path,
            },
        )
    )
    return span
