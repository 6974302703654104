"""Two accounts of the ERP whose e-mails read the same are two people, and never take each other's place."""

import pytest

from .conftest import ANNA, Team, session

pytestmark = pytest.mark.anyio

HERS, HIS = {"id": 1, "email": ANNA}, {"id": 2, "email": ANNA.upper()}


async def test_another_account_of_the_same_e_mail_does_not_take_a_persons_place(either: Team) -> None:
    replica = await either.replica()
    assert await replica.store.signed_in(session(user=HERS, expires_at=either.clock() + 600)) == ANNA
    tokens = await replica.tokens()
    assert await replica.store.signed_in(session(ANNA.upper(), "a stranger's", user=HIS)) == ""
    kept = await replica.store.person(ANNA)
    assert kept is not None
    assert kept.session.token.get_secret_value() == "erp-token-of-anna"
    assert (await replica.reads(tokens["access_token"])).status_code == 200
    assert await replica.store.signed_in(session(token="her next", user=HERS, expires_at=either.clock() + 600)) == ANNA


async def test_an_account_that_was_made_anew_comes_in_when_the_one_before_has_ended(team: Team) -> None:
    replica = await team.replica()
    await replica.store.signed_in(session(user=HERS, expires_at=team.clock() + 600))
    team.clock.now += 601
    assert await replica.store.signed_in(session(token="anew", user=HIS)) == ANNA
    await replica.store.ended(ANNA, 2)
    assert await replica.store.signed_in(session(token="once more", user=HERS)) == ANNA


@pytest.mark.parametrize("account", ["boss\u212a@example.com", "b\u0130ll@example.com"])
async def test_an_e_mail_whose_letters_become_plain_ones_when_made_small_is_nobodys(team: Team, account: str) -> None:
    replica = await team.replica()
    assert await replica.store.signed_in(session(account)) == ""


async def test_letters_of_other_languages_stay_what_they_are(team: Team) -> None:
    replica = await team.replica()
    assert await replica.store.signed_in(session("Ägidius@example.com")) == "ägidius@example.com"
