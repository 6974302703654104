"""The team's inbox stands at the address that people and their assistants are told."""

import pytest

from tests.server.team.whole import whole
from tests.terminal import small_company, state

__all__ = ["small_company", "state"]  # fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("state")]


async def test_the_address_as_it_is_told_leads_to_the_sign_in_with_or_without_a_slash() -> None:
    async with whole() as team, team.browser() as browser:
        for address in ("/approvals", "/approvals/"):
            answer = await browser.get(address, follow_redirects=True)
            assert (answer.status_code, answer.url.path) == (200, "/sign-in")
