"""What one person of a team tries against another's writes, records and rights, tried against the whole server."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from fraction_mcp.operations.writes.approvers import Viewer
from fraction_mcp.operations.writes.states import State
from fraction_mcp.server.team.people import Person
from tests.server.team.person import hidden
from tests.server.team.whole import ANNA, BEN, Colleague, Whole, told, whole
from tests.terminal import small_company, state

__all__ = ["small_company", "state"]  # fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("state")]

YES = {"decision": {"action": "accept", "content": {"decision": "approve"}}}


@pytest.fixture
async def team(state: object) -> AsyncIterator[Whole]:
    async with whole() as made:
        yield made


@pytest.fixture
async def anna(team: Whole) -> Colleague:
    return await team.person(ANNA).connects()


@pytest.fixture
async def ben(team: Whole) -> Colleague:
    return await team.person(BEN).connects()


async def asked(person: Colleague, reference: str = "ATTACK-1") -> tuple[dict[str, Any], str]:
    """A question in rounds about a write: the call's result, and the write's id."""
    arguments = {"customer": "1", "customer_ref": reference}
    result = await person.calls("create_enquiry", arguments)
    journal = (await person.team.parts.people.of(_person(person))).write_service
    writes = await (await journal()).journal.history.latest(tuple(State), skip=0, limit=5)
    return result, next(write.id for write in writes if reference in write.plan.content)


def _person(person: Colleague) -> Person:
    return Person(person.email, person.email)


async def answered(person: Colleague, sealed: str, reference: str = "ATTACK-1", **more: Any) -> dict[str, Any]:
    arguments = {"customer": "1", "customer_ref": reference}
    return await person.calls("create_enquiry", arguments, requestState=sealed, inputResponses=YES, **more)


async def state_of(person: Colleague, write_id: str) -> str:
    return (await person.calls("get_write_status", {"write_id": write_id}))["structuredContent"]["outcome"]


async def digest_of(person: Colleague) -> str:
    return hidden((await person.http.get("/approvals/")).text).get("digest", "")


# --------------------------------------------------------------------------------------------------- another's write


async def test_another_persons_write_id_is_that_of_no_write(anna: Colleague, ben: Colleague) -> None:
    _, write_id = await asked(anna)
    theirs, none = [
        json.dumps(await ben.calls("get_write_status", {"write_id": each})).replace(each, "ID")
        for each in (write_id, write_id[:-4] + "0000")
    ]
    assert theirs == none
    assert "ATTACK-1" not in theirs
    listed = await ben.calls("get_write_status", {})
    assert write_id not in json.dumps(listed)


async def test_another_persons_inbox_shows_finds_exports_and_decides_nothing_of_a_write(
    anna: Colleague, ben: Colleague
) -> None:
    _, write_id = await asked(anna)
    await ben.signs_in()
    digest = await digest_of(anna)
    for path in ("/approvals/", "/approvals/cards", f"/approvals/?write={write_id}", "/approvals/?q=ATTACK-1",
                 f"/approvals/?decided={write_id}", f"/approvals/?late={write_id}", "/approvals/writes.csv",
                 "/approvals/writes.csv?q=ATTACK"):  # fmt: skip
        page = (await ben.http.get(path)).text
        assert "Birchwood" not in page
        assert 'value="ATTACK-1"' in page or "ATTACK-1" not in page  # what they typed themselves
    csrf = await _csrf_of(ben)
    for what in ("approve", "decline", "cancel", "look", "send"):
        sent = {"csrf": csrf, "digest": digest}
        answer = await ben.http.post(f"/approvals/writes/{write_id}/{what}", data=sent, headers=_OWN)
        assert answer.status_code in {400, 404}
    assert await state_of(anna, write_id) == "awaiting_approval"


async def test_an_open_inbox_is_told_nothing_of_anothers_writes_and_nothing_once_its_person_has_signed_out(
    anna: Colleague, ben: Colleague
) -> None:
    heard: dict[str, list[str]] = {ANNA: [], BEN: []}
    over = {ANNA: anyio.Event(), BEN: anyio.Event()}

    async def watch(person: Colleague) -> None:
        await person.watches(heard[person.email].append)
        over[person.email].set()

    async def until(person: Colleague, count: int) -> None:
        while len(heard[person.email]) < count:  # noqa: ASYNC110 - what comes through a stream has no event
            await anyio.sleep(0.01)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for person in (anna, ben):
                await person.signs_in()
                group.start_soon(watch, person)
                await until(person, 1)
            await asked(anna)
            await until(anna, 2)
            await asked(anna, "ATTACK-2")
            await until(anna, 3)
            assert len(heard[BEN]) == 1
            await anna.sends("/sign-out", (await anna.http.get("/sign-out")).text)
            await asked(ben, "HIS-1")
            await until(ben, 2)
            await over[ANNA].wait()
            assert len(heard[ANNA]) == 3
            group.cancel_scope.cancel()


async def test_another_browsers_form_approves_nothing(anna: Colleague, ben: Colleague) -> None:
    _, write_id = await asked(anna)
    await ben.signs_in()
    sent = {"csrf": await _csrf_of(ben), "digest": await digest_of(anna)}
    answer = await anna.http.post(f"/approvals/writes/{write_id}/approve", data=sent, headers=_OWN)
    assert answer.status_code == 403
    assert await state_of(anna, write_id) == "awaiting_approval"


_OWN = {"origin": "null", "sec-fetch-site": "same-origin"}


async def _csrf_of(person: Colleague) -> str:
    return hidden((await person.http.get("/sign-out")).text)["csrf"]


async def test_another_persons_sealed_state_is_no_answer(anna: Colleague, ben: Colleague) -> None:
    result, write_id = await asked(anna)
    stolen = await answered(ben, result["requestState"])
    assert stolen["code"] == -32602
    assert await state_of(anna, write_id) == "awaiting_approval"


async def test_a_sealed_state_of_another_client_of_the_same_person_is_no_answer(anna: Colleague) -> None:
    result, write_id = await asked(anna)
    first, anna.client_id = dict(anna.tokens), ""
    await anna.connects()
    assert (await answered(anna, result["requestState"]))["code"] == -32602
    anna.tokens = first
    assert await state_of(anna, write_id) == "awaiting_approval"


async def test_two_step_another_persons_confirmation_token_confirms_nothing() -> None:
    async with whole(confirm="two_step", elicitation="off") as team:
        anna, ben = await team.person(ANNA).connects(), await team.person(BEN).connects()
        asked_for = (await anna.calls("create_enquiry", {"customer": "1", "customer_ref": "TWO-1"}))[
            "structuredContent"
        ]
        token = {name: asked_for[name] for name in asked_for if name in {"write_id", "confirmation_token"}}
        assert len(token) == 2, asked_for
        stolen = await ben.calls("confirm_write", token)
        assert stolen["isError"] or stolen["structuredContent"]["outcome"] == "not_found"
        assert (await anna.calls("confirm_write", token))["structuredContent"]["outcome"] == "done"


# ---------------------------------------------------------------------------------------------- a second pair of eyes


@pytest.fixture
async def guarded(state: object) -> AsyncIterator[Whole]:
    async with whole(approvers=f"create_enquiry: {ANNA}, {BEN}") as made:
        yield made


async def waits(person: Colleague, reference: str = "EYES-1") -> str:
    result = (await person.calls("create_enquiry", {"customer": "1", "customer_ref": reference}))["structuredContent"]
    assert result["outcome"] == "awaiting_approval"
    return result["write_id"]


async def test_self_approval_by_a_form_of_ones_own_is_never_asked_for(guarded: Whole) -> None:
    anna = await guarded.person(ANNA).connects()
    write_id = await waits(anna)
    sneaked = await anna.calls("create_enquiry", {"customer": "1", "customer_ref": "EYES-1"}, inputResponses=YES)
    assert sneaked.get("structuredContent", {}).get("outcome", "") != "done"
    assert await state_of(anna, write_id) == "awaiting_approval"


async def test_self_approval_in_the_inbox_is_refused_and_the_other_ones_yes_counts(guarded: Whole) -> None:
    anna, ben = await guarded.person(ANNA).connects(), await guarded.person(BEN).connects()
    write_id = await waits(anna)
    await anna.signs_in()
    await ben.signs_in()
    digest = await digest_of(ben)
    assert digest
    for person, status in ((anna, 403), (ben, 303)):
        sent = {"csrf": await _csrf_of(person), "digest": digest}
        answer = await person.http.post(f"/approvals/writes/{write_id}/approve", data=sent, headers=_OWN)
        assert answer.status_code == status, answer.text
    assert await state_of(anna, write_id) in {"done", "in_progress"}


async def test_self_approval_through_submit_writes_is_none(guarded: Whole) -> None:
    anna = await guarded.person(ANNA).connects()
    writes = [{"tool": "create_enquiry", "arguments": {"customer": "1", "customer_ref": f"EYES-{n}"}} for n in "12"]
    result = await anna.calls("submit_writes", {"writes": writes})
    assert "inputRequests" not in result
    assert "awaiting_approval" in json.dumps(result["structuredContent"])


async def test_self_approval_under_two_step_is_none() -> None:
    async with whole(confirm="two_step", approvers=f"create_enquiry: {ANNA}, {BEN}") as team:
        anna = await team.person(ANNA).connects()
        result = (await anna.calls("create_enquiry", {"customer": "1", "customer_ref": "EYES-9"}))["structuredContent"]
        assert result["outcome"] == "awaiting_approval"
        assert not result.get("confirmation_token")


async def test_self_approval_by_another_spelling_of_ones_own_account_is_none(guarded: Whole) -> None:
    """Asked for as `ſam@…`, which the ERP takes for `sam@…`, and approved as `sam@…`."""
    ben = guarded.person(BEN)
    await ben.signs_in(email=BEN.replace("s", "ſ", 1))
    await ben.connects()
    write_id = await waits(ben)
    twin = guarded.person(BEN)
    await twin.signs_in()
    sent = {"csrf": await _csrf_of(twin), "digest": await digest_of(twin) or "0" * 64}
    answer = await twin.http.post(f"/approvals/writes/{write_id}/approve", data=sent, headers=_OWN)
    assert answer.status_code == 403
    assert await state_of(ben, write_id) == "awaiting_approval"


# ------------------------------------------------------------------------------------------------- another's records


async def test_what_the_server_remembers_of_one_persons_records_answers_nobody_else(
    team: Whole, anna: Colleague, ben: Colleague
) -> None:
    """Not even where the other one's own session is over, so that nothing else could have answered."""
    templates = told(await anna.asks("resources/templates/list", {}))["resourceTemplates"]
    template = next(each["uriTemplate"] for each in templates if "parts/" in each["uriTemplate"])
    field = template.partition("{")[2].partition("}")[0]
    typed = {"ref": {"type": "ref/resource", "uri": template}, "argument": {"name": field, "value": "WID"}}
    looks: list[tuple[str, dict[str, Any]]] = [
        ("completion/complete", typed),
        ("resources/read", {"uri": template.replace(f"{{{field}}}", "1")}),
        ("tools/call", {"name": "search_parts", "arguments": {"query": "WIDGET"}}),
    ]
    for look in looks:
        assert "WIDGET-001" in (await anna.asks(*look)).text
    team.ends_in_the_erp(BEN)
    for look in looks:
        assert "WIDGET-001" not in (await ben.asks(*look)).text
        assert "WIDGET-001" in (await anna.asks(*look)).text


# -------------------------------------------------------------------------------------------------------------- scopes


@pytest.fixture
async def reader(team: Whole) -> Colleague:
    return await team.person(ANNA).connects(scope="erp:read")


CALL = {"name": "create_enquiry", "arguments": {"customer": "1", "customer_ref": "SCOPE-1"}}


def call(method: str = "tools/call", name: str = "create_enquiry", **more: Any) -> dict[str, Any]:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"}}  # fmt: skip
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**CALL, "name": name, "_meta": meta}, **more}


@pytest.mark.matrix
@pytest.mark.parametrize("tool", ["create_enquiry", "submit_writes", "set_price_list", "confirm_write"])
async def test_a_reading_token_is_told_that_a_tool_writes(reader: Colleague, tool: str) -> None:
    refused = await reader.asks("tools/call", {"name": tool, "arguments": {}})
    assert refused.status_code == 403
    assert 'error="insufficient_scope", scope="erp:read erp:write"' in refused.headers["www-authenticate"]


BODY = json.dumps(call())
NAME, HARMLESS = '"name": "create_enquiry"', '"name": "search_parts"'
ODD = {
    "a batch": f"[{BODY}]".encode(),
    "a byte order mark": b"\xef\xbb\xbf" + BODY.encode(),
    "utf-16": BODY.encode("utf-16"),
    "a name twice, the harmless last": BODY.replace(NAME, f"{NAME}, {HARMLESS}").encode(),
    "a name twice, the harmless first": BODY.replace(NAME, f"{HARMLESS}, {NAME}").encode(),
    "params twice": BODY.replace('"params":', f'"params": {{{HARMLESS}}}, "params":').encode(),
    "params twice, the harmless last": f'{BODY[:-1]}, "params": {{{HARMLESS}, "arguments": {{}}}}}}'.encode(),
    "a method twice": BODY.replace('"method":', '"method": "ping", "method":').encode(),
    "a method in another case": json.dumps(call("Tools/Call")).encode(),
    "a name in another case": json.dumps(call(name="CREATE_ENQUIRY")).encode(),
    "a name with a blank": json.dumps(call(name="create_enquiry ")).encode(),
    "an escaped name": BODY.replace("create_enquiry", "create\\u005fenquiry").encode(),
    "an escaped method": BODY.replace("tools/call", "tools\\/call").encode(),
    "half a character": BODY.replace("SCOPE-1", "\\ud800").encode(),
    "a number without end": BODY.replace('"id": 1', '"id": ' + "9" * 5_000).encode(),
    "not a number": BODY.replace('"jsonrpc"', '"x": NaN, "jsonrpc"').encode(),
    "nested without end": f'{BODY[:-1]}, "x": {"[" * 50_000}{"]" * 50_000}}}'.encode(),
}


@pytest.mark.matrix
@pytest.mark.parametrize("headers", [{}, {"MCP-Protocol-Version": "2025-11-25"}], ids=["new", "older"])
@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
async def test_no_odd_body_writes_with_a_reading_token(reader: Colleague, body: bytes, headers: dict[str, str]) -> None:
    for named in ({"Mcp-Method": "tools/call", "Mcp-Name": "search_parts"}, {}):
        await reader.posts(body, **headers, **named)

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 7_000):
                yield body[at : at + 7_000]

        bearer = {"Authorization": f"Bearer {reader.tokens['access_token']}", "Content-Type": "application/json",
                  "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28"}  # fmt: skip
        await reader.http.post("/mcp", content=pieces(), headers=bearer | headers | named)
    assert await _journal_of(reader) == []


async def test_the_same_body_asks_for_a_write_with_a_writing_token(anna: Colleague) -> None:
    headers = {"Mcp-Method": "tools/call", "Mcp-Name": "create_enquiry"}
    assert (await anna.posts(json.dumps(call()).encode(), **headers)).status_code == 200
    assert len(await _journal_of(anna)) == 1


async def _journal_of(person: Colleague) -> list[Any]:
    service = await (await person.team.parts.people.of(_person(person))).write_service()
    return list(await service.journal.history.latest(tuple(State), skip=0, limit=5))


# ------------------------------------------------------------------------------------------------------ names and words


async def test_a_desks_account_that_is_named_like_somebody_who_signed_in_sees_and_asks_nothing_as_them(
    anna: Colleague,
) -> None:
    await asked(anna)
    people = anna.team.parts.people
    journal = people._journal
    assert (
        len(await journal.seen_by(Viewer(f"signed-in:{ANNA}", ANNA)).history.latest(tuple(State), skip=0, limit=5)) == 1
    )
    for asker in (ANNA, f"Signed-in:{ANNA}", f"signed-in:{ANNA.upper()}", "signed-in:", f"signed-in:{ANNA} "):
        assert await journal.seen_by(Viewer(asker, "")).history.latest(tuple(State), skip=0, limit=5) == []


async def test_a_clients_name_full_of_tricks_is_text_on_the_pages_and_one_line_in_the_log(
    team: Whole, caplog: pytest.LogCaptureFixture
) -> None:
    anna = team.person(ANNA)
    await anna.registers(name="</bdi><script>alert(1)</script>\nINFO anna allows \u202eeverything\x1b[2J")
    with caplog.at_level(logging.INFO):
        await anna.connects()
        page = (await anna.http.get((await anna.authorize()).headers["location"])).text
        typed = {"email": "a@b\r\nINFO forged", "password": "x"}
        await anna.sends("/sign-in", (await team.person(ANNA).http.get("/sign-in")).text, **typed)
    assert "<script>alert" not in page
    assert not {"\u202e", "\x1b"} & set(page)
    assert not [record for record in caplog.records if "\n" in record.getMessage() or "\x1b" in record.getMessage()]


async def test_hop_by_hop_headers_take_nothing_away_that_is_checked(anna: Colleague) -> None:
    headers = {
        "Connection": "close, authorization, host, origin",
        "Keep-Alive": "x",
        "TE": "trailers",
        "Upgrade": "h2c",
    }
    answer = await anna.asks("tools/call", {"name": "search_parts", "arguments": {"query": "a"}}, **headers)
    assert answer.status_code == 200
    refused = await anna.posts(b"{}", Authorization="", **headers)
    assert refused.status_code == 401
    cross = await anna.posts(b"{}", **{**headers, "Origin": "https://evil.example"})
    assert cross.status_code == 403
