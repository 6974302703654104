"""The sign-ins that replicas share: the ERP's token, which only one may renew, and the clients' tokens."""

from pathlib import Path

import anyio
import pytest

from tests.postgresql import Server
from tests.server.team.replicas.team import Person, team_of, until

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.slow]


async def price(person: Person) -> None:
    (line,) = (await person.call("get_price_for_quantity", part="WIDGET-001", quantity=5, customer="Acme Corp"))["prices"]
    assert line["unit_price"] == person.company.price


async def test_a_token_that_one_replica_is_renewing_signs_nobody_out_at_the_other(
    server: Server, template: Path, tmp_path: Path
) -> None:
    """Renewing revokes at once; the new token is known only when its answer has come. Meanwhile the other replica is
    refused with the one before."""
    async with team_of(
        1, postgres=server, template=template, folder=tmp_path, FRACTION_MCP_CACHE_S="0"
    ) as team:
        team.companies.of[1].app.state.token_lifetime_s = 60  # renewed six seconds before
        async with team.person(1) as anna:
            for place in (0, 1):
                with anna.only_at(place):
                    await price(anna)
            hold = team.companies.hold(anna.company, "/auth/refresh")
            renewing = 0

            async def keeps_asking() -> None:
                nonlocal renewing
                while not hold.reached.is_set():
                    await price(anna)

            await keeps_asking()
