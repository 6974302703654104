"""The sign-ins that replicas share: the ERP's token, which only one may renew, and the clients' tokens."""

from pathlib import Path

import anyio
import pytest

from tests.postgresql import Server
from tests.server.team.replicas.team import Person, team_of, until

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.slow]


async def price(person: Person) -> None:
    (line,) = (await person.call("get_price_for_quantity", part="WIDGET-001", quantity=5, customer="Acme Corp"))[
        "prices"
    ]
    assert line["unit_price"] == person.company.price


async def test_a_token_that_one_replica_is_renewing_signs_nobody_out_at_the_other(
    server: Server, template: Path, tmp_path: Path
) -> None:
    """Renewing revokes at once; the new token is known only when its answer has come. Meanwhile the other replica is
    refused with the one before."""
    async with team_of(1, postgres=server, template=template, folder=tmp_path, FRACTION_MCP_CACHE_S="0") as team:
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
                    unauthorised = len(team.companies.refused)
                    await until(lambda: len(team.companies.refused) > unauthorised)
                hold.let_go.set()
            for _ in range(2):
                await price(anna)
        assert anna.browser.sign_ins == 1
        assert team.companies.of[1].asked("POST", "/auth/refresh") == 1
        assert team.complaints() == []
