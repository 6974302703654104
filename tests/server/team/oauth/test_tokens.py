"""Codes and tokens at /token, /revoke and the guarded resource: what is good, for whom and how long; what is not."""

import logging
from typing import Any

import pytest

from fraction_mcp.server.team.store import Consented

from .conftest import ANNA, CLIENT, DESK, PUBLIC, REDIRECTS, RESOURCE, Team, challenge_of, error_of, session

pytestmark = pytest.mark.anyio

HOUR, DAY = 3600, 86_400


async def test_a_code_is_good_for_a_call_and_says_whose(either: Team) -> None:
    replica = await either.signed_in()
    tokens = await replica.tokens()
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", HOUR, "erp:read erp:write")
    told = (await replica.reads(tokens["access_token"])).json()
    assert (told["subject"], told["scopes"], told["claims"]["iss"]) == (ANNA, ["erp:read", "erp:write"], PUBLIC)
    assert told["claims"]["grant"]
    assert told["claims"]["name"] == ANNA  # the ERP told none


# -------------------------------------------------------------------------------------------------------------- codes


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"code_verifier": "v" * 64}, "invalid_grant", id="a wrong verifier"),
        pytest.param({"code_verifier": None}, "invalid_request", id="no verifier"),
        pytest.param({"code_verifier": challenge_of("x")}, "invalid_grant", id="the challenge for a verifier"),
        pytest.param({"client_id": DESK}, "invalid_grant", id="another client"),
        pytest.param({"redirect_uri": REDIRECTS[DESK][2]}, "invalid_request", id="another address"),
        pytest.param({"redirect_uri": None}, "invalid_request", id="no address"),
        pytest.param({"resource": "https://other.example/mcp"}, "invalid_target", id="another resource"),
        pytest.param({"grant_type": "password"}, "invalid_request", id="another grant"),
        pytest.param({"code": "nonsense"}, "invalid_grant", id="a made-up code"),
    ],
)
async def test_a_code_is_good_only_as_it_was_given(team: Team, changes: dict[str, Any], error: str) -> None:
    replica = await team.signed_in()
    code = await replica.code()
    refused = await replica.token(**{"code": code, **changes})
    assert (refused.status_code, error_of(refused)) == (400, error)
    assert (await replica.token(code)).status_code == 200  # whom it was given to still gets it


async def test_a_parameter_that_stands_twice_is_refused(team: Team) -> None:
    replica = await team.signed_in()
    body = f"grant_type=authorization_code&code={await replica.code()}&code=other&client_id={CLIENT}"
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    assert error_of(await replica.http.post("/token", content=body, headers=head)) == "invalid_request"


async def test_a_client_that_nobody_knows_gets_nothing(team: Team) -> None:
    replica = await team.signed_in()
    refused = await replica.token(await replica.code(), client_id="https://unknown.example/")
    assert (refused.status_code, error_of(refused)) == (401, "invalid_client")


async def test_a_code_lives_a_minute(either: Team) -> None:
    replica = await either.signed_in()
    code = await replica.code()
    either.clock.now += 60
    assert error_of(await replica.token(code)) == "invalid_grant"


async def test_a_code_that_comes_again_is_refused_and_takes_with_it_what_it_gave(
    either: Team, caplog: pytest.LogCaptureFixture
) -> None:
    replica, other = await either.signed_in(), await either.replica()
    code = await replica.code()
    tokens = (await replica.token(code)).json()
    later = (await replica.refresh(tokens["refresh_token"])).json()
    either.clock.now += HOUR / 2  # the code itself has long run out
    assert error_of(await other.token(code, client_id=DESK)) == "invalid_grant"
    for access_token in (tokens["access_token"], later["access_token"]):
        assert (await replica.reads(access_token)).status_code == 401
    assert error_of(await replica.refresh(later["refresh_token"])) == "invalid_grant"
    (record,) = caplog.records
    assert "authorization code came a second time" in record.getMessage()


async def test_of_two_replicas_that_take_a_code_at_once_one_gets_it_and_keeps_nothing(shared: Team) -> None:
    """Both have seen the code, before shared takes it."""
    replica, other = await shared.signed_in(), await shared.replica()
    code = await replica.code()
    assert await replica.store.find_code(code)
    assert await other.store.find_code(code)
    tokens = await replica.store.take_code(code, CLIENT, asked_at=shared.clock.now)
    assert await other.store.take_code(code, CLIENT, asked_at=shared.clock.now) is None
    assert (await replica.reads(tokens.access)).status_code == 401


async def test_a_code_of_somebody_who_was_signed_out_meanwhile_is_good_for_nothing(either: Team) -> None:
    replica = await either.signed_in()
    code = await replica.code()
    await replica.store.ended(ANNA, 1)
    assert error_of(await replica.token(code)) == "invalid_grant"
    assert error_of(await replica.token(await replica.code())) == "invalid_grant"


# ----------------------------------------------------------------------------------------------------- access tokens


async def test_an_access_token_lives_an_hour(either: Team) -> None:
    replica = await either.signed_in()
    token = (await replica.tokens())["access_token"]
    either.clock.now += HOUR - 1
    assert (await replica.reads(token)).status_code == 200
    either.clock.now += 1
    assert (await replica.reads(token)).status_code == 401


async def test_a_token_for_another_resource_is_none_here(team: Team) -> None:
    """Two servers on one database, under one key."""
    replica, other = await team.signed_in(), await team.replica(resource=f"{PUBLIC}/other")
    code = await other.code(resource=None)
    token = (await other.token(code, resource=None)).json()["access_token"]
    assert (await replica.reads(token)).status_code == 401


async def test_a_token_without_the_scope_is_told_so(team: Team) -> None:
    replica = await team.signed_in()
    token = (await replica.tokens(scope="erp:write"))["access_token"]
    refused = await replica.reads(token)
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")


@pytest.mark.matrix
@pytest.mark.parametrize("token", ["", "nonsense", "\x00", "a.b.c", "é", "x" * 10_000])
async def test_a_made_up_token_is_none(team: Team, token: str) -> None:
    replica = await team.signed_in()
    await replica.tokens()
    assert await replica.provider.load_access_token(token) is None
    assert await replica.store.rotate(token, CLIENT, ["erp:read"], asked_at=team.clock.now) is None


# ---------------------------------------------------------------------------------------------------- refresh tokens


async def test_a_refresh_gives_a_new_pair_and_leaves_the_old_access_token_its_hour(either: Team) -> None:
    replica = await either.signed_in()
    first = await replica.tokens()
    second = (await replica.refresh(first["refresh_token"])).json()
    assert {first["access_token"], first["refresh_token"]}.isdisjoint(second.values())
    assert second["expires_in"] == HOUR
    for tokens in (first, second):
        assert (await replica.reads(tokens["access_token"])).status_code == 200


async def test_a_lost_answer_is_given_again_for_ten_seconds_at_any_replica(shared: Team) -> None:
    replica, other = await shared.signed_in(), await shared.replica()
    first = await replica.tokens()
    second = (await replica.refresh(first["refresh_token"])).json()
    shared.clock.now += 10
    again = (await other.refresh(first["refresh_token"])).json()
    assert again | {"expires_in": HOUR} == second
    assert again["expires_in"] == HOUR - 10
    third = (await other.refresh(again["refresh_token"])).json()
    assert (await replica.reads(third["access_token"])).status_code == 200


async def test_the_first_answer_is_given_again_even_when_its_token_has_been_used(either: Team) -> None:
    """A client whose processes share a token, and overtake one another."""
    replica = await either.signed_in()
    first = await replica.tokens()
    second = (await replica.refresh(first["refresh_token"])).json()
    third = (await replica.refresh(second["refresh_token"])).json()
    assert (await replica.refresh(first["refresh_token"])).json() == second
    assert (await replica.refresh(second["refresh_token"])).json() == third


@pytest.mark.matrix
@pytest.mark.parametrize("rotations", [1, 2, 20])
async def test_a_refresh_token_that_comes_again_later_revokes_the_whole_grant(
    either: Team, rotations: int, caplog: pytest.LogCaptureFixture
) -> None:
    replica, other = await either.signed_in(), await either.replica()
    stolen = newest = await replica.tokens()
    bystander = await replica.tokens()
    for _ in range(rotations):
        newest = (await replica.refresh(newest["refresh_token"])).json()
    either.clock.now += 11
    assert error_of(await other.refresh(stolen["refresh_token"])) == "invalid_grant"
    assert (await replica.reads(newest["access_token"])).status_code == 401
    assert error_of(await replica.refresh(newest["refresh_token"])) == "invalid_grant"
    assert (await replica.reads(bystander["access_token"])).status_code == 200  # their other client goes on
    (record,) = caplog.records
    assert "refresh token came again" in record.getMessage()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"client_id": DESK}, "invalid_grant", id="another client"),
        pytest.param({"scope": "erp:read erp:write"}, "invalid_scope", id="a wider scope"),
        pytest.param({"scope": "erp:admin"}, "invalid_scope", id="a scope that there is not"),
        pytest.param({"resource": "https://other.example/mcp"}, "invalid_target", id="another resource"),
    ],
)
async def test_a_refresh_token_is_good_only_as_it_was_given(team: Team, changes: dict[str, str], error: str) -> None:
    replica = await team.signed_in()
    token = (await replica.tokens(scope="erp:read"))["refresh_token"]
    refused = await replica.refresh(token, **changes)
    assert (refused.status_code, error_of(refused)) == (400, error)
    assert (await replica.refresh(token)).status_code == 200


async def test_a_refresh_may_narrow_the_scope_and_the_next_may_have_all_that_was_granted(either: Team) -> None:
    replica = await either.signed_in()
    first = await replica.tokens()
    narrow = (await replica.refresh(first["refresh_token"], scope="erp:read")).json()
    assert narrow["scope"] == "erp:read"
    assert (await replica.reads(narrow["access_token"])).json()["scopes"] == ["erp:read"]
    again = (await replica.refresh(first["refresh_token"], scope="erp:read erp:write")).json()
    assert again == narrow  # the first answer stands
    assert (await replica.refresh(narrow["refresh_token"])).json()["scope"] == "erp:read erp:write"


async def test_the_store_widens_no_scope_whoever_asks_it(team: Team) -> None:
    replica = await team.signed_in()
    token = (await replica.tokens(scope="erp:read"))["refresh_token"]
    assert (await replica.store.rotate(token, CLIENT, ["erp:write", "erp:read"], asked_at=team.clock.now)).scopes == (
        "erp:read",
    )


async def test_a_grant_lives_thirty_days_from_its_last_use(either: Team) -> None:
    replica = await either.signed_in()
    token = (await replica.tokens())["refresh_token"]
    for _ in range(2):
        either.clock.now += 30 * DAY - 1
        token = (await replica.refresh(token)).json()["refresh_token"]
    either.clock.now += 30 * DAY
    assert error_of(await replica.refresh(token)) == "invalid_grant"


async def test_a_token_whose_mac_is_guessed_revokes_nothing(team: Team) -> None:
    """Whoever knows a grant's name, as logs may, signs nobody out by it."""
    replica = await team.signed_in()
    first = await replica.tokens()
    second = (await replica.refresh(first["refresh_token"])).json()
    team.clock.now += 60
    grant, _, mac = second["refresh_token"].split(".")
    for forged in (f"{grant}.1.{mac}", f"{grant}.2.{'A' * 43}", f"{grant}.3.{mac}", f"{grant}.999999999.{mac}"):
        assert error_of(await replica.refresh(forged)) == "invalid_grant"
    assert (await replica.refresh(second["refresh_token"])).status_code == 200


# -------------------------------------------------------------------------------------------------------- revocation


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_revoking_either_token_ends_both_everywhere(either: Team, which: str) -> None:
    replica, other = await either.signed_in(), await either.replica()
    tokens = await replica.tokens()
    answer = await other.http.post("/revoke", data={"token": tokens[which], "client_id": CLIENT})
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await replica.reads(tokens["access_token"])).status_code == 401
    assert error_of(await replica.refresh(tokens["refresh_token"])) == "invalid_grant"


async def test_nobody_revokes_what_is_another_clients(team: Team) -> None:
    replica = await team.signed_in()
    tokens = await replica.tokens()
    for token in (tokens["access_token"], tokens["refresh_token"], "nonsense"):
        assert (await replica.http.post("/revoke", data={"token": token, "client_id": DESK})).status_code == 200
    for form in ({"token": tokens["access_token"]}, {"token": tokens["access_token"], "client_id": "nobody"}):
        assert (await replica.http.post("/revoke", data=form)).status_code == 401
    assert error_of(await replica.http.post("/revoke", data={"client_id": CLIENT})) == "invalid_request"
    assert (await replica.reads(tokens["access_token"])).status_code == 200


async def test_when_the_erps_token_is_dead_the_person_is_signed_out_of_every_client(shared: Team) -> None:
    replica, other = await shared.signed_in(), await shared.replica()
    await replica.store.signed_in(session("bob@example.com", "erp-token-of-bob"))
    hers = [await replica.tokens(), await replica.tokens(client_id=DESK, resource=None)]
    his = await replica.tokens("bob@example.com")
    await other.store.ended(ANNA, 1)
    for tokens in hers:
        assert (await replica.reads(tokens["access_token"])).status_code == 401
    assert error_of(await replica.refresh(hers[0]["refresh_token"])) == "invalid_grant"
    assert (await replica.reads(his["access_token"])).status_code == 200


# ------------------------------------------------------------------------------------------------- what is not told


async def test_no_repr_and_no_log_shows_a_token(team: Team, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    replica = await team.signed_in()
    code = await replica.code()
    client: Any = await replica.provider.get_client(CLIENT)
    held: list[Any] = [await replica.provider.load_authorization_code(client, code)]
    tokens = (await replica.token(code)).json()
    held += [await replica.provider.load_refresh_token(client, tokens["refresh_token"])]
    held += [await replica.provider.load_access_token(tokens["access_token"])]
    held += [
        await replica.store.rotate(tokens["refresh_token"], CLIENT, [], asked_at=team.clock.now),
        await replica.store.person(ANNA),
    ]
    held += [await replica.store.new_browser(ANNA), replica.store, replica.provider]
    shown = repr(held) + caplog.text
    assert None not in held
    for secret in (code, tokens["access_token"], tokens["refresh_token"], "erp-token-of-anna"):
        assert secret not in shown


async def test_what_has_run_out_is_removed_by_the_way_a_little_at_a_time(either: Team) -> None:
    replica = await either.signed_in()
    agreed = Consented(ANNA, CLIENT, ("erp:read",), RESOURCE, REDIRECTS[CLIENT][0], True, challenge_of("v"))
    for _ in range(30):
        await replica.store.new_code(agreed)

    async def codes() -> int:
        async with replica.journal.database.engine.connect() as connection:
            return (await connection.exec_driver_sql("SELECT count(*) FROM team_codes")).scalar() or 0

    assert await codes() == 30
    either.clock.now += 60
    assert [await codes() for _ in range(2) if await replica.store.new_code(agreed)] == [11, 2]
