"""Completion as a host meets it: while somebody types, in prompts and in addresses; and nothing stops the typing."""

from dataclasses import replace
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import Completion, PromptReference, ResourceTemplateReference
from starlette.applications import Starlette

from fraction_mcp.erp.budget import Budget
from fraction_mcp.erp.client import ErpClient
from fraction_mcp.server import completion
from tests.support import AT, wait_until

from .conftest import Hosted

pytestmark = pytest.mark.anyio

QUOTE = PromptReference(name="quote_customer")
PART = ResourceTemplateReference(uri="fraction://parts/{part_number}")
CUSTOMER = ResourceTemplateReference(uri="fraction://customers/{id}")
RECORD = ResourceTemplateReference(uri="fraction://{kind}/{id}")
NOTHING = Completion(values=[], total=None, has_more=False)


async def completed(client: Client, ref: Any, name: str, value: str, **context: str) -> Completion:
    result = await client.complete(ref, {"name": name, "value": value}, context_arguments=context or None)
    return result.completion


@pytest.mark.parametrize(
    ("ref", "name", "typed", "context", "expected"),
    [
        (QUOTE, "customer", "acme c", {}, ["Acme Castings", "Acme Corp", "Acme Corp (Scotland)", "Acme Corporation"]),
        (CUSTOMER, "id", "łódź", {}, ["Łódź Precyzja S.A."]),
        (PART, "part_number", "gear/", {}, ["GEAR/24T"]),
        (PromptReference(name="review_price_list"), "part", "shaft 20", {}, ["SHAFT 20%"]),
        (RECORD, "kind", "p", {}, ["parts", "purchase_orders"]),
        (RECORD, "id", "gear/", {"kind": "parts"}, ["GEAR/24T"]),
        (RECORD, "id", "Q1", {"kind": "contracts"}, []),
        (RECORD, "id", "gear/", {}, []),
        (PromptReference(name="price_an_email"), "email", "Dear", {}, []),
        (PromptReference(name="nope"), "customer", "a", {}, []),
        (ResourceTemplateReference(uri="fraction://nope/{id}"), "id", "a", {}, []),
        (PART, "nope", "a", {}, []),
    ],
)
async def test_what_may_be_meant_is_offered(  # noqa: PLR0917 - the columns of the table
    client: Client, ref: Any, name: str, typed: str, context: dict[str, str], expected: list[str]
) -> None:
    found = await completed(client, ref, name, typed, **context)
    assert found.values == expected
    assert not found.has_more


async def test_every_protocol_version_completes(hosted: Hosted, mode: str) -> None:
    async with hosted(mode) as client:
        assert client.server_capabilities.completions is not None
        assert (await completed(client, PART, "part_number", "gear/")).values == ["GEAR/24T"]


async def test_an_empty_field_shows_the_first_page_and_says_that_there_is_more(client: Client, app: Starlette) -> None:
    app.state.requests.clear()
    found = await completed(client, PART, "part_number", "")
    assert (len(found.values), found.total, found.has_more) == (100, None, True)
    assert len([one for one in app.state.requests if "/parts" in one.path]) == 1


async def test_what_is_completed_is_found_without_a_further_search(client: Client, app: Starlette) -> None:
    (name,) = (await completed(client, CUSTOMER, "id", "Acme Castings")).values
    app.state.requests.clear()
    await client.call_tool("price_order_lines", {"customer": name, "lines": [{"part": "WIDGET-001", "quantity": 1}]})
    assert not [one for one in app.state.requests if "/customers" in one.path]


async def test_typing_on_calls_off_the_completion_before(hosted: Hosted, app: Starlette, mode: str) -> None:
    fault = app.state.faults.arm("timeout", method="GET", path="/customers*", seconds=60)
    found: list[Completion] = []

    async def types(text: str) -> None:
        found.append(await completed(client, QUOTE, "customer", text))

    with anyio.fail_after(25):
        async with hosted(mode) as client, anyio.create_task_group() as group:
            group.start_soon(types, "acme")
            await wait_until(lambda: fault not in app.state.faults.armed)
            await types("acme co")
    assert found[0] == NOTHING, "nobody waits for it any more"
    assert found[1].values[:2] == ["Acme Corp", "Acme Corp (Scotland)"]


async def test_typing_in_another_field_calls_nothing_off(hosted: Hosted, app: Starlette) -> None:
    fault = app.state.faults.arm("timeout_after", method="GET", path="/customers*", seconds=0.2)
    found: list[Completion] = []

    async def types() -> None:
        found.append(await completed(client, QUOTE, "customer", "acme co"))

    with anyio.fail_after(25):
        async with hosted() as client, anyio.create_task_group() as group:
            group.start_soon(types)
            await wait_until(lambda: fault not in app.state.faults.armed)
            assert (await completed(client, PART, "part_number", "gear/")).values == ["GEAR/24T"]
    assert found[0].values


@pytest.mark.parametrize("kind", ["status", "html", "garbage", "truncate", "drop_before"])
async def test_a_failure_completes_to_nothing_and_the_next_keystroke_is_served(
    hosted: Hosted, app: Starlette, kind: str
) -> None:
    async with hosted() as client:
        assert (await completed(client, QUOTE, "customer", "wharfe")).values
        app.state.faults.arm(kind, method="GET", path="/customers*", times=9)
        try:
            app.state.requests.clear()
            assert await completed(client, QUOTE, "customer", "acme c") == NOTHING
            assert len(list(app.state.requests)) == 1, "a keystroke costs one request, also where it fails"
        finally:
            app.state.faults.clear()
        assert (await completed(client, QUOTE, "customer", "acme c")).values


async def test_whoever_cannot_sign_in_may_type_on(hosted: Hosted) -> None:
    async with hosted(fraction_email="nobody@example.com") as client:
        assert await completed(client, QUOTE, "customer", "acme") == NOTHING


async def test_an_erp_that_does_not_answer_is_not_waited_for(
    hosted: Hosted, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "_PATIENCE_S", 0.05)
    app.state.faults.arm("timeout", method="GET", path="/customers*", seconds=60)
    with anyio.fail_after(25):
        async with hosted() as client:
            assert await completed(client, QUOTE, "customer", "acme") == NOTHING
    app.state.faults.clear()


async def test_typing_leaves_the_rate_budget_s_last_requests_to_calls(
    hosted: Hosted, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted() as client:
        assert (await completed(client, QUOTE, "customer", "wharfe")).values
        monkeypatch.setattr(ErpClient, "connection", _nearly_spent(ErpClient.connection))
        app.state.requests.clear()
        assert (await completed(client, QUOTE, "customer", "acme")).values == []
        assert not list(app.state.requests)


def _nearly_spent(connection: Any) -> Any:
    return lambda client: replace(connection(client), budget=Budget(2000, 49, AT))
