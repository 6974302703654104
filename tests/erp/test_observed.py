"""What others see of a request to an ERP: a span, and facts to count; never an id, a search or a token."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fraction_mcp.erp.endpoints import PART, PARTS, System
from fraction_mcp.erp.observed import Exchange, observed, observing
from fraction_mcp.errors import ErpError, NotFound
from tests.erp.conftest import World

pytestmark = pytest.mark.anyio


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """An SDK for this test alone: the process-wide one can be set only once."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


async def test_each_request_is_a_span_by_its_template_beneath_the_call_s(
    world: World, spans: InMemorySpanExporter
) -> None:
    client = world.fraction()
    with trace.get_tracer("a call").start_as_current_span("tools/call search_parts") as call:
        await client.call(PARTS, query={"search": "WIDGET-001", "length": 1})
        with pytest.raises(NotFound):
            await client.call(PART, path={"id": 987654321})
    told = [
        (one.name, dict(one.attributes or {}).get("http.response.status_code")) for one in spans.get_finished_spans()
    ]
    assert told[-3:] == [("GET /parts", 200), ("GET /parts/{id}", 404), ("tools/call search_parts", None)]
    for one in spans.get_finished_spans()[:-1]:
        assert one.parent is not None
        assert one.parent.span_id == call.get_span_context().span_id
        assert one.kind is trace.SpanKind.CLIENT
        for secret in ("WIDGET", "987654321", "Bearer", "search="):
            assert secret not in one.to_json()
        assert not one.events


async def test_a_request_without_an_answer_says_which_error_and_not_its_words(
    wired: World, spans: InMemorySpanExporter
) -> None:
    seen: list[Exchange] = []
    wired.arm("drop_before", path="/parts", times=9)
    with observing(seen.append), pytest.raises(ErpError):
        await wired.fraction().call(PARTS, query={"search": "WIDGET-001"})
    last = spans.get_finished_spans()[-1]
    assert dict(last.attributes or {})["error.type"] in {"RemoteProtocolError", "ReadError"}
    assert (seen[-1].status, seen[-1].seconds > 0) == (None, True)


async def test_the_trace_ends_here(world: World, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    handle = type(world.noting).__call__

    async def noted(noting: Any, scope: Any, receive: Any, send: Any) -> None:
        sent.extend(name for name, _ in scope.get("headers", ()))
        await handle(noting, scope, receive, send)

    monkeypatch.setattr(type(world.noting), "__call__", noted)
    with trace.get_tracer("a call").start_as_current_span("tools/call search_parts"):
        await world.fraction().call(PARTS, query={"length": 1})
    assert sent
    assert not {b"traceparent", b"tracestate", b"baggage", b"x-request-id"} & set(sent)


async def test_whoever_counts_is_told_of_the_budget_and_of_nothing_once_it_has_stopped(world: World) -> None:
    seen: list[Exchange] = []
    client = world.fraction()
    with observing(seen.append):
        await client.call(PARTS, query={"length": 1})
    await client.call(PARTS, query={"length": 1})
    (read,) = [one for one in seen if one.endpoint is PARTS]
    assert (read.system, read.status) == (System.FRACTIONERP, 200)
    assert read.budget is not None
    assert read.budget.remaining


def test_where_nobody_set_it_up_no_span_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace.ProxyTracerProvider, "get_tracer", None)
    with observed(System.FRACTIONERP, PARTS) as exchange:
        exchange.status = 200


def test_where_nobody_loaded_opentelemetry_nothing_is_loaded_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    with observed(System.FRACTIONERP, PARTS) as exchange:
        exchange.status = 200
    assert not [name for name in sys.modules if name.startswith("opentelemetry")]
