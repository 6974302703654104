"""The sign-ins that replicas share: the ERP's token, which only one may renew, and the clients' tokens."""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp.shared.auth import OAuthToken

from tests.postgresql import Server
from tests.server.team.person import Memory
from tests.server.team.replicas.team import KEY, Person, team_of, until

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.slow]

ANEW = {"FRACTION_MCP_CACHE_S": "0"}  # each price is read of the ERP


async def price(person: Person) -> None:
    (line,) = (await person.call("get_price_for_quantity", part="WIDGET-001", quantity=5, customer="Acme Corp"))[
        "prices"
    ]
    assert line["unit_price"] == person.company.price


async def test_a_token_that_is_due_is_renewed_by_one_replica_and_nobody_is_signed_out(
    server: Server, template: Path, tmp_path: Path
) -> None:
    """Renewing revokes at once, and the new token is known when its answer has come: the other one waits."""
    async with team_of(1, postgres=server, template=template, folder=tmp_path, changes=ANEW) as team:
        team.companies.of[1].app.state.token_lifetime_s = 32  # the shortest that is renewed: three seconds before
        async with team.person(1) as anna:
            for place in (0, 1):
                with anna.only_at(place):
                    await price(anna)
            hold = team.companies.hold(anna.company, "/auth/refresh")
            async with anyio.create_task_group() as group:
                with anna.only_at(0):

                    async def renews() -> None:
                        while not hold.reached.is_set():
                            await price(anna)
                            await anyio.sleep(0.2)

                    group.start_soon(renews)
                    await until(hold.reached.is_set)
                with anna.only_at(1):
                    group.start_soon(price, anna)
                    await until(lambda: anna.at == 1)
                hold.let_go.set()
            for _ in range(2):
                await price(anna)
        assert team.companies.of[1].asked("POST", "/auth/refresh") == 1
        assert team.complaints() == []


async def test_tokens_of_a_client_that_are_refreshed_at_both_replicas_at_once_sign_nobody_out(
    server: Server, template: Path, tmp_path: Path
) -> None:
    """Every person's client in five processes, each of which refreshes with the one token that they share."""
    async with team_of(10, postgres=server, template=template, folder=tmp_path) as team, httpx.AsyncClient() as http:
        answers: dict[int, list[Any]] = {number: [] for number in team.companies.of}
        async with anyio.create_task_group() as group:

            async def refreshes(number: int, memory: Memory) -> None:
                assert memory.tokens is not None
                assert memory.info is not None
                form = {"grant_type": "refresh_token", "refresh_token": memory.tokens.refresh_token}
                form |= {"client_id": memory.info.client_id, "resource": f"{team.proxy.url}/mcp"}
                answer = await http.post(f"{team.proxy.url}/token", data=form, timeout=60)
                assert answer.status_code == 200, answer.text
                answers[number].append(answer.json())

            async def one(number: int) -> None:
                memory = Memory()
                async with team.person(number, memory) as person:
                    await price(person)
                    async with anyio.create_task_group() as five:
                        for _ in range(5):
                            five.start_soon(refreshes, number, memory)
                    (token,) = {answer["access_token"] for answer in answers[number]}
                    memory.tokens = OAuthToken.model_validate(answers[number][0])
                    assert token
                async with team.person(number, memory) as person:
                    await price(person)
                    await price(person)

            for number in team.companies.of:
                group.start_soon(one, number)
        assert len({answer["access_token"] for each in answers.values() for answer in each}) == 10
        assert team.held_against_each() >= 30
        assert team.complaints() == []


async def test_a_key_is_changed_in_a_rolling_restart_with_a_question_open_and_people_signed_in(
    server: Server, template: Path, tmp_path: Path
) -> None:
    old, new = KEY, "the second key of the tests' replicas"
    async with team_of(2, postgres=server, template=template, folder=tmp_path) as team:
        async with team.person(1) as anna, team.person(2) as bert:
            part = {"part_number": "NEW-ROTATED"}
            asked = await anna.asks("create_part", part)
            for keys in (f"{old},{new}", f"{new},{old}"):
                for place in (0, 1):
                    await team.replicas[place].ended()
                    await team.put(place, FRACTION_MCP_SECRET_KEY=keys)
                    await price(anna)
                    await price(bert)
            told = await anna.answers("create_part", part, asked)
            assert told["outcome"] == "done", told
            asked = await bert.asks("create_part", part)
            for place in (0, 1):
                await team.replicas[place].ended()
                await team.put(place, FRACTION_MCP_SECRET_KEY=new)
            assert (await bert.answers("create_part", part, asked))["outcome"] == "done"
        assert [company.made() for company in team.companies.of.values()] == [["NEW-ROTATED"]] * 2
        team.held_against_each()
        assert team.complaints() == []


async def test_a_budget_is_one_account_s_whichever_replica_spends_it(
    server: Server, template: Path, tmp_path: Path
) -> None:
    async with team_of(2, postgres=server, template=template, folder=tmp_path, changes=ANEW) as team:
        async with team.person(1) as anna, team.person(2) as bert:
            await price(bert)
            anna.company.app.state.fraction_limit_per_hour = 20
            refused = [await anna.call("search_parts", query=f"W{number}") for number in range(40)]
            codes = [told["error"]["code"] for told in refused if told.get("error")]
            assert set(codes[-10:]) == {"RATE_LIMITED"}, codes
            await price(bert)  # theirs is another account
        assert anna.company.asked("GET") <= 22, "each replica may find out by one request"


async def test_two_replicas_that_start_at_once_on_an_empty_database_both_serve(
    server: Server, template: Path, tmp_path: Path
) -> None:
    async with team_of(1, postgres=server, template=template, folder=tmp_path, migrated=False) as team:
        async with team.person(1) as anna:
            await price(anna)
            await price(anna)
        assert set(team.proxy.went[anna.browser.address]) == {0, 1}
        assert team.complaints() == []
