"""Replicas of a team's server on one database: what many ask at once, what happens once only, and what lies there for
whoever steals it."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest
import sqlalchemy as sa

from fraction_mcp.errors import ConfigError
from fraction_mcp.server.team.keys import KeyRing
from fraction_mcp.server.team.store_tables import metadata

from .conftest import ANNA, CLIENT, KEY, REDIRECTS, Replica, Team, session

pytestmark = pytest.mark.anyio

NEW_KEY = b"another key of the tests, that is newer"


async def at_once(calls: Sequence[Awaitable[httpx.Response]]) -> list[dict[str, Any]]:
    """Their answers. What hangs is cut; how long it takes is the machine's business."""
    with anyio.fail_after(240):
        answers = await asyncio.gather(*calls)
    assert Counter(answer.status_code for answer in answers) == {200: len(calls)}, answers[0].text
    return [answer.json() for answer in answers]


# -------------------------------------------------------------------------------------------------------- many at once


@pytest.mark.parametrize("times", [50, pytest.param(1_000, marks=[pytest.mark.slow, pytest.mark.long])])
async def test_however_many_refresh_one_token_at_once_all_get_the_same_and_nobody_is_signed_out(
    shared: Team, times: int
) -> None:
    replicas = [await shared.signed_in(), await shared.replica()]
    token = (await replicas[0].tokens())["refresh_token"]
    answers = await at_once([replicas[turn % 2].refresh(token) for turn in range(times)])
    assert len({json.dumps(answer) for answer in answers}) == 1
    for replica in replicas:
        assert (await replica.reads(answers[0]["access_token"])).status_code == 200
    assert (await replicas[1].refresh(answers[0]["refresh_token"])).status_code == 200


async def test_what_came_in_time_is_answered_however_long_it_waits_for_its_turn(team: Team) -> None:
    """On a machine that has too much to do, between one question to the store and the next."""
    replica = await team.signed_in()
    provider, client = replica.provider, cast("Any", await replica.provider.get_client(CLIENT))
    code = await replica.code()
    team.clock.now += 59
    asked = cast("Any", await provider.load_authorization_code(client, code))
    team.clock.now += 60
    token = cast("str", (await provider.exchange_authorization_code(client, asked)).refresh_token)
    first = (await replica.refresh(token)).json()
    team.clock.now += 10
    again = cast("Any", await provider.load_refresh_token(client, token))
    team.clock.now += 60
    assert (await provider.exchange_refresh_token(client, again, [])).refresh_token == first["refresh_token"]


@pytest.mark.parametrize("people", [20, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.long])])
async def test_however_many_people_refresh_at_once_each_stays_signed_in_as_themselves(
    shared: Team, people: int
) -> None:
    """Each with five processes that share a token."""
    replicas = [await shared.replica(), await shared.replica()]
    everybody = [f"person{number}@example.com" for number in range(people)]
    held = {}
    for person in everybody:
        await replicas[0].store.signed_in(session(person, f"erp-token-of-{person}"))
        held[person] = (await replicas[0].tokens(person))["refresh_token"]
    asked = [person for person in everybody for _ in range(5)]
    answers = await at_once([replicas[turn % 2].refresh(held[person]) for turn, person in enumerate(asked)])
    got = dict(zip(asked, answers, strict=True))
    assert all(got[person] == answer for person, answer in zip(asked, answers, strict=True))
    for person, answer in got.items():
        assert (await replicas[0].reads(answer["access_token"])).json()["subject"] == person
        assert (await replicas[1].refresh(answer["refresh_token"])).status_code == 200


# ---------------------------------------------------------------------------------------------- the ERP's own token


async def test_the_erps_token_is_kept_with_all_that_belongs_to_it(either: Team) -> None:
    replica, other = await either.replica(), await either.replica()
    facts: dict[str, Any] = {
        "renew_at": 1.5,
        "expires_at": 2.5,
        "user": {"name": "Anna"},
        "company": {"currency": "EUR"},
    }
    assert await replica.store.signed_in(session(" Anna@Example.com ", **facts)) == ANNA
    kept = (await other.store.person(ANNA)).session
    assert (kept.account, kept.version, kept.token.get_secret_value()) == (ANNA, 1, "erp-token-of-anna")
    assert {name: getattr(kept, name) for name in facts} == facts
    assert await replica.store.person("nobody@example.com") is None


async def test_of_all_replicas_one_renews_a_token_and_nobody_else_while_it_may(shared: Team) -> None:
    replicas = [await shared.signed_in(), await shared.replica()]
    calls = [replicas[turn % 2].store.claim_renewal(ANNA, 1, owner=f"process {turn}", lease_s=60) for turn in range(10)]
    claims = await asyncio.gather(*calls)
    assert sum(claims) == 1
    owner = f"process {claims.index(True)}"
    assert not await replicas[0].store.renewed(ANNA, 1, "another", session(token="not to be kept"))
    assert await replicas[0].store.renewed(ANNA, 1, owner, session(token="erp-token-2"))
    assert not await replicas[0].store.renewed(ANNA, 1, owner, session(token="not to be kept"))
    kept = (await replicas[1].store.person(ANNA)).session
    assert (kept.token.get_secret_value(), kept.version) == ("erp-token-2", 2)
    assert not await replicas[1].store.claim_renewal(ANNA, 1, owner="late", lease_s=60)  # that one is renewed
    assert await replicas[1].store.claim_renewal(ANNA, 2, owner="next", lease_s=60)


async def test_a_renewal_that_nobody_finished_may_be_tried_by_another(either: Team) -> None:
    replica = await either.signed_in()
    assert await replica.store.claim_renewal(ANNA, 1, owner="killed", lease_s=60)
    either.clock.now += 59
    assert not await replica.store.claim_renewal(ANNA, 1, owner="next", lease_s=60)
    either.clock.now += 1
    assert await replica.store.claim_renewal(ANNA, 1, owner="next", lease_s=60)
    assert not await replica.store.renewed(ANNA, 1, "killed", session(token="came too late"))
    await replica.store.released(ANNA, 1, "next")
    assert await replica.store.claim_renewal(ANNA, 1, owner="third", lease_s=60)


async def test_who_signs_in_again_replaces_the_erps_token_and_stays_signed_in_elsewhere(either: Team) -> None:
    replica = await either.signed_in()
    tokens = await replica.tokens()
    assert await replica.store.claim_renewal(ANNA, 1, owner="one", lease_s=60)
    await replica.store.signed_in(session(token="erp-token-2"))
    assert not await replica.store.renewed(ANNA, 1, "one", session(token="of the one before"))
    await replica.store.ended(ANNA, 1)  # what somebody learnt of the token before
    kept = (await replica.store.person(ANNA)).session
    assert (kept.token.get_secret_value(), kept.version) == ("erp-token-2", 2)
    assert (await replica.reads(tokens["access_token"])).status_code == 200


async def test_an_erp_token_that_is_dead_is_gone_and_a_new_one_revives_no_grant(either: Team) -> None:
    replica = await either.signed_in()
    tokens, browser = await replica.tokens(), await replica.store.new_browser(ANNA)
    await replica.store.ended(ANNA, 1)
    assert await replica.store.person(ANNA) is None
    assert await replica.store.browser(browser.secret) is None
    assert not await replica.store.claim_renewal(ANNA, 1, owner="one", lease_s=60)
    await replica.store.signed_in(session(token="erp-token-2"))
    assert (await replica.store.person(ANNA)).session.version == 2
    assert (await replica.reads(tokens["access_token"])).status_code == 401
    assert await replica.store.browser(browser.secret) is None


# --------------------------------------------------------------------------------------------------------- the keys


async def test_keys_are_changed_one_after_the_other_and_nobody_notices(either: Team) -> None:
    """The order of docs: the new key behind the old one, then before it, then alone."""
    old = await either.signed_in()
    first = await old.tokens()
    both = await either.replica(KEY, NEW_KEY)
    second = (await both.refresh(first["refresh_token"])).json()
    turned = await either.replica(NEW_KEY, KEY)
    assert (await turned.refresh(first["refresh_token"])).json() == second
    third = (await turned.refresh(second["refresh_token"])).json()
    assert (await both.refresh(second["refresh_token"])).json() == third  # derived under a key that is not its first
    assert (await turned.store.person(ANNA)).session.token.get_secret_value() == "erp-token-of-anna"
    assert await turned.store.claim_renewal(ANNA, 1, owner="one", lease_s=60)
    assert await turned.store.renewed(ANNA, 1, "one", session(token="erp-token-2"))  # sealed under the first
    new = await either.replica(NEW_KEY)
    assert (await new.store.person(ANNA)).session.token.get_secret_value() == "erp-token-2"
    assert (await new.reads(third["access_token"])).status_code == 200
    fourth = (await new.refresh(third["refresh_token"])).json()
    assert (await new.reads(fourth["access_token"])).status_code == 200


async def test_whose_erp_token_no_key_opens_is_asked_to_sign_in_and_loses_nothing(either: Team) -> None:
    """A replica with the wrong key turns people away; those with the right one go on serving them."""
    right = await either.signed_in()
    tokens = await right.tokens()
    wrong = await either.replica(NEW_KEY)
    assert await wrong.store.person(ANNA) is None
    assert (await wrong.reads(tokens["access_token"])).status_code == 401
    assert (await wrong.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await wrong.token(await wrong.code())).json()["error"] == "invalid_grant"
    assert (await right.refresh(tokens["refresh_token"])).status_code == 200


def test_what_is_sealed_opens_under_each_of_the_keys_and_only_as_what_it_is() -> None:
    sealed = KeyRing([KEY]).seal(b"a secret", about="anna")
    assert KeyRing([NEW_KEY, KEY]).unseal(sealed, about="anna") == b"a secret"
    assert KeyRing([NEW_KEY, KEY]).unseal(sealed, about="bob") is None
    assert KeyRing([NEW_KEY]).unseal(sealed, about="anna") is None
    assert sealed != KeyRing([KEY]).seal(b"a secret", about="anna")
    for spoilt in (b"", sealed[:3], sealed[:10], sealed[:-1], sealed[:-1] + bytes([sealed[-1] ^ 1])):
        assert KeyRing([KEY]).unseal(spoilt, about="anna") is None
    assert KeyRing([KEY]).derive("a", "b", "c") != KeyRing([KEY]).derive("a", "bc") != KeyRing([KEY]).derive("ab", "c")


@pytest.mark.parametrize("keys", [[], [b"short"], [KEY, b"short"]])
def test_a_key_that_is_too_short_is_refused_and_not_shown(keys: list[bytes]) -> None:
    with pytest.raises(ConfigError, match="at least 32 bytes") as refused:
        KeyRing(keys)
    assert "short" not in str(refused.value).replace("too short", "")
    assert KEY.decode() not in repr(KeyRing([KEY]))


# ------------------------------------------------------------------------------------------------ a stolen database


async def everything(replica: Replica, folder: Path) -> bytes:
    """Every byte of the database as it lies there."""
    if not replica.store._database.shared:
        files = [path async for path in anyio.Path(folder).glob("journal.sqlite3*")]
        return b"".join([await path.read_bytes() for path in files])
    rows: list[Any] = []
    async with replica.journal.database.engine.connect() as connection:
        for table in metadata.sorted_tables:
            rows += (await connection.execute(sa.select(table))).all()
    return repr(rows).encode()


async def test_whoever_steals_the_database_has_no_token_no_code_and_no_password(either: Team) -> None:
    replica = await either.signed_in()
    unused = await replica.code()
    code = await replica.code()
    first = (await replica.token(code)).json()
    second = (await replica.refresh(first["refresh_token"])).json()
    browser = await replica.store.new_browser(ANNA)
    mistaken = "account:Correct horse, battery staple"  # somebody typed it in the wrong field
    await replica.store.may_try(mistaken)
    secrets = [
        unused,
        code,
        browser.secret,
        browser.csrf,
        "erp-token-of-anna",
        KEY.decode(),
        mistaken.partition(":")[2],
    ]
    for tokens in (first, second):
        secrets += [tokens["access_token"], tokens["refresh_token"], tokens["refresh_token"].split(".")[2]]
    lying = await everything(replica, either.folder)
    assert ANNA.encode() in lying  # it is the right file
    for secret in secrets:
        for spelt in (secret.encode(), secret.encode().hex().encode(), base64.b64encode(secret.encode()).rstrip(b"=")):
            assert spelt not in lying


async def test_what_is_stored_is_no_token_itself(team: Team) -> None:
    """Whoever reads the database tries all that stands there."""
    replica = await team.signed_in()
    tokens = await replica.tokens()
    grant = tokens["refresh_token"].split(".")[0]
    async with replica.journal.database.engine.connect() as connection:
        rows = [row for table in metadata.sorted_tables for row in (await connection.execute(sa.select(table))).all()]
    for text in {str(value) for row in rows for value in row}:
        assert await replica.provider.load_access_token(text) is None
        assert await replica.store.browser(text) is None
        assert (await replica.token(text)).status_code == 400
        for forged in (text, f"{grant}.1.{text[:43]}"):
            assert (await replica.refresh(forged)).status_code == 400
    assert (await replica.refresh(tokens["refresh_token"])).status_code == 200


# ------------------------------------------------------------------------------------------------- browsers, attempts


async def test_a_browser_is_known_for_twelve_hours_and_two_without_being_seen(either: Team) -> None:
    replica, other = await either.signed_in(), await either.replica()
    browser = await replica.store.new_browser(ANNA)
    assert (await other.store.browser(browser.secret)).csrf == browser.csrf
    assert browser.csrf != browser.secret
    for _ in range(11):
        either.clock.now += 3_600
        assert (await other.store.browser(browser.secret)).subject == ANNA
    either.clock.now += 3_600
    assert await replica.store.browser(browser.secret) is None
    idle, ended = await replica.store.new_browser(ANNA), await replica.store.new_browser(ANNA)
    await other.store.end_browser(ended.secret)
    assert await replica.store.browser(ended.secret) is None
    either.clock.now += 7_200
    assert await replica.store.browser(idle.secret) is None


async def test_an_account_is_tried_five_times_and_then_ever_more_slowly(either: Team) -> None:
    replica, other = await either.replica(), await either.replica()
    bucket = f"account:{ANNA}"
    for _ in range(5):
        assert await replica.store.may_try(bucket) == 0
        await replica.store.failed(bucket)
    waits = []
    for _ in range(4):
        waits.append(await other.store.may_try(bucket))
        either.clock.now += waits[-1]
        assert await replica.store.may_try(bucket) == 0
        await replica.store.failed(bucket)
    assert waits == [2, 4, 8, 16]
    assert await replica.store.may_try("account:bob@example.com") == 0
    await replica.store.succeeded(bucket)
    assert await other.store.may_try(bucket) == 0


async def test_one_address_that_tries_many_accounts_is_slowed_whatever_it_gets_right(either: Team) -> None:
    """Password spraying, with an account of one's own in between."""
    replica = await either.replica()
    address, own = "address:192.0.2.1", "account:mallory@example.com"
    for number in range(20):
        assert await replica.store.may_try(address, own) == 0
        await replica.store.succeeded(address, own)
        assert await replica.store.may_try(address, f"account:person{number}@example.com") == 0
        await replica.store.failed(address, f"account:person{number}@example.com")
    assert await replica.store.may_try(address, "account:person20@example.com") == 2
    assert await replica.store.may_try("address:192.0.2.2", "account:person20@example.com") == 0  # it was not counted


@pytest.mark.matrix
async def test_of_many_tries_at_once_no_more_get_through_than_one_after_the_other(shared: Team) -> None:
    replicas = [await shared.replica(), await shared.replica()]
    calls = [replicas[turn % 2].store.may_try(f"account:{ANNA}", "address:192.0.2.1") for turn in range(40)]
    waits = await asyncio.gather(*calls)
    assert sum(wait == 0 for wait in waits) == 5


async def test_a_try_that_the_erp_never_heard_of_is_given_back(either: Team) -> None:
    replica = await either.replica()
    for _ in range(30):
        assert await replica.store.may_try(f"account:{ANNA}", "address:192.0.2.1") == 0
        await replica.store.untried(f"account:{ANNA}", "address:192.0.2.1")


async def test_what_may_happen_once_happens_once_among_all_replicas(shared: Team) -> None:
    replicas = [await shared.replica(), await shared.replica()]
    until = shared.clock.now + 600
    calls = [replicas[turn % 2].store.once("consent of a test", until=until) for turn in range(10)]
    assert sum(await asyncio.gather(*calls)) == 1
    assert await replicas[0].store.once("another", until=until)


# ------------------------------------------------------------------------------------ clients that register themselves


async def registered(replica: Replica, **changes: Any) -> httpx.Response:
    return await replica.http.post(
        "/register", json={"redirect_uris": REDIRECTS[CLIENT], "client_name": "Self-made", **changes}
    )


async def test_a_client_that_registered_itself_is_known_at_every_replica_and_has_no_secret(either: Team) -> None:
    replica = await either.replica(allow_registration=True)
    other = await either.replica(allow_registration=True)
    await replica.store.signed_in(session())
    answer = await registered(
        replica, token_endpoint_auth_method="client_secret_basic", grant_types=["authorization_code"]
    )
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert "client_secret" not in told
    assert told["token_endpoint_auth_method"] == "none"
    assert told["grant_types"] == ["authorization_code", "refresh_token"]
    known = await other.provider.get_client(told["client_id"])
    assert (known.client_name, known.client_secret) == ("Self-made", None)
    assert await (await either.replica()).provider.get_client(told["client_id"]) is None  # not where it is off


async def test_a_registration_is_forgotten_unless_something_was_granted_to_it(either: Team) -> None:
    replica = await either.replica(allow_registration=True)
    await replica.store.signed_in(session())
    used, unused = [(await registered(replica)).json()["client_id"] for _ in range(2)]
    REDIRECTS[used] = REDIRECTS[CLIENT]
    try:
        await replica.tokens(client_id=used)
    finally:
        del REDIRECTS[used]
    either.clock.now += 86_400
    assert await replica.provider.get_client(used)
    assert await replica.provider.get_client(unused) is None


@pytest.mark.parametrize(
    "redirect_uri",
    ["http://evil.example/", "javascript:alert(1)", "https://a@b.example/", "https://a.example/#x", "data:,x"],
)
async def test_nobody_registers_an_address_to_which_nobody_may_be_sent(team: Team, redirect_uri: str) -> None:
    replica = await team.replica(allow_registration=True)
    answer = await registered(replica, redirect_uris=[redirect_uri])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")
    beside = await registered(replica, redirect_uris=[*REDIRECTS[CLIENT], redirect_uri])
    assert (beside.status_code, beside.json()["redirect_uris"]) == (201, list(REDIRECTS[CLIENT]))
    kept = await replica.provider.get_client(beside.json()["client_id"])
    assert [str(uri) for uri in kept.redirect_uris] == list(REDIRECTS[CLIENT])


async def test_registrations_fill_no_disk(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    from fraction_mcp.server.team import store

    monkeypatch.setattr(store, "_MOST_UNUSED_CLIENTS", 3)
    replica = await team.replica(allow_registration=True)
    answers = [(await registered(replica)).status_code for _ in range(4)]
    assert answers == [201, 201, 201, 400]
    assert (await registered(replica, client_name="x" * 10_000)).json()["error"] == "invalid_client_metadata"
    team.clock.now += 86_400
    assert (await registered(replica)).status_code == 201


async def test_without_leave_there_is_no_registration(team: Team) -> None:
    assert (await registered(await team.replica())).status_code == 404


async def test_calls_that_come_at_the_same_time_are_checked_by_few_queries_and_a_revoked_token_by_none_too_late(
    shared: Team,
) -> None:
    replica, other = await shared.signed_in(), await shared.replica()
    tokens = [(await replica.tokens())["access_token"] for _ in range(5)]
    asked = list[str]()

    def counted(*told: Any) -> None:
        asked.append(told[2])

    engine = replica.journal.database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", counted)
    answers = await asyncio.gather(*(replica.reads(tokens[turn % 5]) for turn in range(60)))
    sa.event.remove(engine, "before_cursor_execute", counted)
    assert Counter(answer.status_code for answer in answers) == {200: 60}
    assert len({answer.json()["claims"]["grant"] for answer in answers}) == 5
    assert len([statement for statement in asked if "access" in statement]) < 30
    grant = answers[0].json()["claims"]["grant"]
    await other.store.revoke(grant)
    assert (await replica.reads(tokens[0])).status_code == 401
    assert (await replica.reads(tokens[1])).status_code == 200
