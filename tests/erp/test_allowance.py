"""What an ERP's budget would not bear is not sent: nothing beyond its last request until its window ends."""

from typing import Any

import anyio
import pytest

from fraction_mcp import errors
from fraction_mcp.erp import endpoints as e
from fraction_mcp.erp.client import ErpClient
from tests.erp.conftest import World

pytestmark = pytest.mark.anyio


async def left(world: World, monkeypatch: pytest.MonkeyPatch, requests: int) -> ErpClient:
    """A client that the ERP has told that so many are left."""
    client = world.fraction()
    await client.call(e.PARTS)
    known = client.connection().budget
    assert known
    assert known.limit
    assert known.remaining
    limit = known.limit - known.remaining + 1 + requests
    monkeypatch.setattr(world.app.state, "fraction_limit_per_hour", limit)
    await client.call(e.PARTS)
    known = client.connection().budget
    assert known
    assert known.remaining == requests
    return client


async def test_where_the_erp_says_that_none_is_left_none_is_sent_and_the_caller_hears_until_when(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await left(world, monkeypatch, 0)
    before = world.log()
    with pytest.raises(errors.BudgetSpent, match="no requests left") as caught:
        await client.call(e.PARTS)
    assert world.log() == before
    assert caught.value.code == "RATE_LIMITED"
    assert 0 < caught.value.retry_after_s <= 3_601


async def test_a_write_is_not_begun_and_its_claim_not_asked_about(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await left(world, monkeypatch, 0)
    asked: list[int] = []

    async def hold() -> None:
        asked.append(1)

    before = world.log()
    with pytest.raises(errors.BudgetSpent):
        await client.call(e.CREATE_PART, body={"part_number": "NEVER"}, before_send=hold)
    assert (world.log(), asked) == (before, [])


async def test_however_many_ask_at_once_the_last_of_a_budget_is_not_sent_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, told = await left(world, monkeypatch, 5), list[Any]()

    async def ask(part: int) -> None:
        try:
            told.append(await client.call(e.PART, path={"id": part}))
        except errors.ErpError as error:
            told.append(error)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for part in range(1, 13):
                group.start_soon(ask, part)
    assert not [line for line in world.log() if line.endswith(" 429")]
    assert sum(not isinstance(each, errors.ErpError) for each in told) == 5
    assert {type(each) for each in told if isinstance(each, errors.ErpError)} == {errors.BudgetSpent}


async def test_when_its_window_has_ended_it_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await left(world, monkeypatch, 0)
    world.clock.ahead(hours=1, minutes=1)
    with pytest.raises(errors.RateLimited):  # the ERP's own clock stands still here
        await client.call(e.PARTS)
