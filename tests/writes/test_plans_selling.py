"""What a person is shown before a write of sales: names and ids, before and after, and the warnings, gravest first."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.response import ErpAnswer
from fraction_mcp.errors import AmbiguousReference
from fraction_mcp.operations.plans.enquiry import enquiry_plan
from fraction_mcp.operations.plans.named import contacts_of, the_contact
from fraction_mcp.operations.plans.price_list import _held_warnings
from tests.support import ListedErp, context_of, customer, price_list
from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio


def breaks(**prices: str) -> list[dict[str, Any]]:
    return [{"quantity": quantity.removeprefix("q"), "unit_price": price} for quantity, price in prices.items()]


def rows(told: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {row["field"]: (row["before"], row["after"]) for row in told["preview"]}


async def shown(firm: Firm, tool: str, **arguments: Any) -> dict[str, Any]:
    async with firm.seat() as seat:
        return await seat.call(tool, **arguments)


async def prices(firm: Firm, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return await shown(
        firm, "set_price_list", part="WIDGET-001", customer="Acme Corp", price_breaks=list(steps), **more
    )


# --------------------------------------------------------------------------------------------------------- price lists


async def test_a_price_list_shows_what_the_customer_pays_and_would_pay_at_each_step_and_the_breaks_that_are_sent(
    firm: Firm,
) -> None:
    told = await prices(firm, *breaks(q1="12.50", q100="9.50", q250="9"))
    assert rows(told) == {
        "part": (None, "'WIDGET-001' (id 1)"),
        "customer": ("'Acme Corp' (id 52)", "'Acme Corp' (id 52)"),
        "currency": (None, "base currency"),
        "customer part number": ("ACM-100", "ACM-100"),
        "base selling price": ("10.50", "10.50"),
        "pays at 1": ("12.50 each", "12.50 each"),
        "pays at 100": ("10.00 each", "9.50 each (−5.0 %)"),
        "pays at 250": ("10.00 each", "9.00 each (−10.0 %)"),
        "pays at 500": ("8.50 each", "9.00 each (+5.9 %)"),
        "price breaks": ("1 at 12.50, 100 at 10.00, 500 at 8.50", "1 at 12.50, 100 at 9.50, 250 at 9.00"),
    }


async def test_the_warnings_of_a_price_list_name_what_jumps_disappears_rises_and_exceeds_the_worst_first(
    firm: Firm,
) -> None:
    told = await prices(firm, *breaks(q1="9", q100="13", q500="8.50"))
    assert told["warnings"] == [
        "At 1 the customer would pay 9.00 instead of 12.50 (−28.0 %): more than 20 % less from 1 to below 100.",
        "At 100 the customer would pay 13.00 instead of 10.00 (+30.0 %): more than 20 % more from 100 to below 500.",
        "The unit price rises with the quantity at 100.",
        "The price is above the base selling price at 100.",
    ]
    told = await prices(firm, *breaks(q250="9"))
    assert told["warnings"] == ["3 breaks disappear: from 1, 100, 500."]


async def test_a_price_that_falls_between_the_old_breaks_is_the_first_warning_of_all(firm: Firm) -> None:
    told = await prices(firm, *breaks(q1="12.50", q10="0.01", q100="10", q500="8.50"))
    assert told["warnings"][0] == (
        "At 10 the customer would pay 0.01 instead of 12.50 (−99.9 %): more than 20 % less from 10 to below 100."
    )
    assert rows(told)["pays at 10"] == ("12.50 each", "0.01 each (−99.9 %)")


@pytest.mark.parametrize(("price", "warned"), [("12.00", False), ("12.01", True), ("8.00", False), ("7.99", True)])
async def test_a_change_of_exactly_twenty_per_cent_is_not_more_than_that(firm: Firm, price: str, warned: bool) -> None:
    told = await prices(firm, *breaks(q1="12.50", q100=price, q500="8.50"))
    assert any("20 %" in warning for warning in told["warnings"]) is warned


async def test_a_list_that_would_change_nothing_says_so(firm: Firm) -> None:
    told = await prices(firm, *breaks(q1="12.50", q100="10", q500="8.50"))
    assert told["warnings"][-1] == "Nothing would change: the list is as it is wanted already."


async def test_what_is_odd_about_the_list_that_the_erp_holds_is_told(firm: Firm) -> None:
    firm.run("UPDATE price_lists SET selling_price = '-3.00000' WHERE part_id = 1 AND customer_id = 52")
    firm.run("UPDATE price_breaks SET price = '-8.5' WHERE qty = '500' AND part_customer_id IN "
             "(SELECT part_customer_id FROM price_lists WHERE part_id = 1 AND customer_id = 52)")  # fmt: skip
    told = await prices(firm, *breaks(q1="12.50", q100="10"))
    assert "The list holds a price or a quantity that is none now: 500 at -8.50." in told["warnings"]
    assert "The base selling price is below zero, and is sent as it was read: -3.00." in told["warnings"]


def test_two_lists_of_one_customer_and_part_are_told() -> None:
    lists = [price_list({"1": "9"}), price_list({"1": "8", "0": "5"})]
    assert _held_warnings(lists[:1]) == _held_warnings([]) == []
    (warning,) = _held_warnings(lists)
    assert warning.startswith("FractionERP answered with 2 price lists of this customer for this part")
    assert _held_warnings(lists[1:]) == ["The list holds a price or a quantity that is none now: 0 at 5.00."]


async def test_a_price_of_exactly_the_base_selling_price_is_not_above_it(firm: Firm) -> None:
    told = await prices(firm, *breaks(q1="10.50", q100="10", q500="8.50"))
    assert not any("base selling price" in warning for warning in told["warnings"])


async def test_a_new_base_selling_price_is_the_one_that_counts(firm: Firm) -> None:
    told = await prices(firm, *breaks(q1="12.50", q100="10", q500="8.50"), selling_price="12.50")
    assert rows(told)["base selling price"] == ("10.50", "12.50 (+19.0 %)")
    assert rows(told)["pays below 1"] == ("10.50 each", "12.50 each (+19.0 %)")
    assert told["warnings"] == []


async def test_unsorted_breaks_are_sent_in_order_and_the_plan_says_so(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        steps = breaks(q500="8.50", q1="10", q100="9.50")
        told = await seat.call("set_price_list", part="WIDGET-001", customer="52", price_breaks=steps)
        sent = json.loads((await (await seat.runtime.write_service()).write(told["write_id"])).plan.content)
    assert told["warnings"][-1] == "The breaks were not given in order of quantity; they are sent in order."
    assert [step["qty"] for step in sent["price_breaks"]] == [1, 100, 500]


async def test_a_break_given_twice_at_one_price_is_sent_once(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        steps = [*breaks(q1="10"), {"quantity": 1, "unit_price": "10.00"}]
        told = await seat.call("set_price_list", part="WIDGET-001", customer="52", price_breaks=steps)
    assert "given twice at the same price" in " ".join(told["warnings"])
    assert firm.breaks("WIDGET-001", 52) == {"1": "10"}


async def test_a_break_given_twice_at_two_prices_cannot_be_meant(firm: Firm) -> None:
    told = await prices(firm, *breaks(q1="10", q100="9"), {"quantity": "100", "unit_price": "9.5"})
    assert told["error"]["code"] == "INVALID_INPUT"
    assert told["error"]["written"] == "no"
    assert "price_breaks[2].quantity" in told["error"]["message"]


@pytest.mark.parametrize(("given", "told"), [({}, "EA (FractionERP's default)"), ({"uom": "KG"}, "KG")])
async def test_a_new_part_s_unit_is_shown_where_the_erp_fills_it_in_by_itself(
    firm: Firm, given: dict[str, str], told: str
) -> None:
    async with firm.seat("yes") as seat:
        done = await seat.call("create_part", part_number="NEW-1", **given)
        sent = (await (await seat.runtime.write_service()).write(done["write_id"])).plan.content
    assert rows(done)["uom"] == (None, told)
    assert ("uom" in json.loads(sent)) is bool(given)
    assert done["result"]["uom"] == told[:2]


async def test_what_was_not_asked_to_change_is_sent_as_it_was_read(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        told = await seat.call("set_price_list", part="WIDGET-001", customer="52", price_breaks=breaks(q1="10"))
        sent = (await (await seat.runtime.write_service()).write(told["write_id"])).plan.content
    assert json.loads(sent) == {
        "customer_id": 52,
        "customer_part_number": "ACM-100",
        "price_breaks": [{"price": 10, "qty": 1}],
        "selling_price": 10.5,
    }
    (held,) = firm.rows("SELECT * FROM price_lists WHERE part_id = 1 AND customer_id = 52")
    assert (held["customer_part_number"], held["selling_price"]) == ("ACM-100", "10.50000")


async def test_a_customer_without_a_price_list_is_linked_and_the_plan_says_so(firm: Firm) -> None:
    told = await shown(firm, "set_price_list", part="WIDGET-001", customer="3", price_breaks=breaks(q1="10"))
    assert told["warnings"] == ["This customer is not linked to the part yet; this links it."]
    assert rows(told)["customer"] == (None, "'Müller & Söhne GmbH' (id 3)")
    assert "base selling price" not in rows(told)


async def test_prices_keep_every_digit_on_their_way(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        steps = breaks(q1="0.12345", **{"q2.5": "0.1"})
        await seat.call("set_price_list", part="WIDGET-001", customer="52", price_breaks=steps)
    assert firm.breaks("WIDGET-001", 52) == {"1": "0.12345", "2.5": "0.1"}


# ----------------------------------------------------------------------------------------------------------- enquiries


async def test_an_enquiry_shows_names_with_their_ids(firm: Firm) -> None:
    told = await shown(
        firm, "create_enquiry", customer="acme corp", contact="ruth.adeyemi@acmecorp.example", notes="Hi"
    )
    assert rows(told) == {
        "customer": (None, "'Acme Corp' (id 52)"),
        "contact": (None, "'Ruth Adeyemi' (id 42)"),
        "notes": (None, "Hi"),
    }


async def test_an_enquiry_with_a_reference_that_is_there_already_is_a_warning(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        first = await seat.call("create_enquiry", customer="Acme Corp", customer_ref="PO-AGAIN")
    told = await shown(firm, "create_enquiry", customer="Acme Corp", customer_ref=" po-again", notes="different")
    number = first["result"]["quote_number"]
    assert told["warnings"] == [f"{number} of this customer already has the reference 'po-again'."]
    other = await shown(firm, "create_enquiry", customer="Acme Castings", customer_ref="PO-AGAIN")
    assert other["warnings"] == [], "another customer may use the same reference"


@pytest.mark.slow
async def test_a_reference_that_is_there_already_is_told_behind_a_hundred_others_that_are_like_it(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        await seat.call("create_enquiry", customer="Acme Corp", customer_ref="PO-MANY-0")
        for number in range(1, 121):
            firm.run(
                "INSERT INTO contracts (doc, haystack) SELECT json_set(doc, '$.customer_ref', ?, '$.id', "
                "(SELECT max(id) + 1 FROM contracts)), haystack "
                "FROM contracts WHERE json_extract(doc, '$.customer_ref') = 'PO-MANY-0'",
                f"PO-MANY-{number}",
            )
        first = await seat.call("create_enquiry", customer="Acme Corp", customer_ref="PO-MANY")
    told = await shown(firm, "create_enquiry", customer="Acme Corp", customer_ref="PO-MANY", notes="different")
    number = first["result"]["quote_number"]
    assert told["warnings"] == [f"{number} of this customer already has the reference 'PO-MANY'."]


@pytest.mark.parametrize(("count", "whole"), [(250, True), (1_500, False)])
async def test_where_not_every_reference_was_looked_at_it_is_told_and_nothing_is_taken_for_the_write(
    count: int, whole: bool
) -> None:
    there = [{"id": number, "customer_ref": f"PO-{number}", "customer": {"id": 52}} for number in range(1, count + 1)]
    erp = ListedErp(customers=[customer(52, "Acme Corp")], contracts=there)
    plan = await enquiry_plan(context_of(erp), customer="52", contact="", customer_ref="PO-", notes="")
    assert plan.look.known == ([one["id"] for one in there] if whole else None)
    words = "Only the first 1,000 enquiries with such a reference were looked at."
    assert (words in plan.warnings) is not whole


async def test_an_enquiry_can_be_planned_while_contracts_cannot_be_read(firm: Firm) -> None:
    firm.arm("status", status=403, code="FORBIDDEN", path="/contracts", method="GET", times=9)
    told = await shown(firm, "create_enquiry", customer="Acme Corp", customer_ref="PO-BLIND")
    assert told["outcome"] == "awaiting_approval"
    assert told["warnings"] == ["Whether an enquiry with this reference exists could not be checked."]


# ------------------------------------------------------------------------------------------------------------ contacts


async def test_a_contact_of_the_same_name_or_e_mail_is_a_warning(firm: Firm) -> None:
    told = await shown(firm, "add_contact", customer="52", name="ruth ADEYEMI", email="Zoe.Lambert@acmecorp.example")
    assert told["warnings"] == [
        "This customer already has a contact called 'ruth ADEYEMI' (id 42), who stays as they are.",
        "The e-mail 'Zoe.Lambert@acmecorp.example' is already that of 'Zoë Lambert' (id 139).",
    ]


async def test_a_contact_that_is_there_in_every_field_is_the_first_warning_and_no_refusal(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        first = await seat.call("add_contact", customer="52", name="Jo Twin", email="jo@twin.example")
    told = await shown(firm, "add_contact", customer="52", name="jo twin", email="jo@twin.example")
    assert told["outcome"] == "awaiting_approval"
    assert told["warnings"] == [
        f"This very contact is there already (id {first['result']['id']}); a second one would be added."
    ]


@pytest.mark.parametrize("email", ["jo", "@example.com", "jo@", "jo smith@example.com"])
async def test_an_e_mail_that_is_none_is_refused(firm: Firm, email: str) -> None:
    told = await shown(firm, "add_contact", customer="52", name="Jo", email=email)
    assert (told["error"]["code"], told["error"]["written"]) == ("INVALID_INPUT", "no")
    assert "email" in told["error"]["message"]


def crowd(firm: Firm, count: int) -> None:
    """So many more contacts of Acme Corp, the last of whom is Last Person."""
    firm.run(
        """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
           INSERT INTO contacts (customer_id, name, email, created_at, updated_at, haystack)
           SELECT 52, CASE WHEN i = ? THEN 'Last Person' ELSE 'Person ' || i END, 'p' || i || '@x.example', '', '', ''
           FROM n""",
        count,
        count,
    )


async def test_a_contact_behind_the_first_hundred_is_found(firm: Firm) -> None:
    crowd(firm, 150)
    told = await shown(firm, "create_enquiry", customer="Acme Corp", contact="last person")
    assert "'Last Person' (id " in (rows(told)["contact"][1] or "")
    told = await shown(firm, "add_contact", customer="Acme Corp", name="Last Person")
    assert told["warnings"][0].startswith("This customer already has a contact called 'Last Person' (id ")


class Erp:
    """An ERP whose single customer comes without its contacts, of which it states neither number nor end."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.pages: list[Any] = []

    async def call(self, endpoint: Any, *, path: Any = None, query: Any = None, fresh: bool = False) -> ErpAnswer:
        assert fresh, "a plan rests on nothing from a cache"
        data: Any = {"id": 52}
        if endpoint is endpoints.CUSTOMER_CONTACTS:
            assert path == {"id": 52}
            self.pages.append(query)
            first = (query["page"] - 1) * query["per_page"]
            data = [{"id": number} for number in range(first, min(self.count, first + query["per_page"]))]
        return ErpAnswer(endpoint, 200, data, None, datetime.now(UTC))


@pytest.mark.parametrize(
    ("count", "read", "pages"),
    [(0, (0, True), 1), (99, (99, True), 2), (100, (100, True), 2), (250, (250, True), 4), (1_500, (1_000, False), 10)],
)
async def test_contacts_that_do_not_come_with_the_customer_are_paged_through(
    count: int, read: tuple[int, bool], pages: int
) -> None:
    erp: Any = Erp(count)
    contacts, whole = await contacts_of(SimpleNamespace(fraction=erp), 52)  # type: ignore[arg-type]
    assert (len({one["id"] for one in contacts}), whole) == read
    assert [query["page"] for query in erp.pages] == list(range(1, pages + 1))


def test_where_not_all_contacts_were_read_a_missing_one_is_not_said_not_to_exist() -> None:
    with pytest.raises(AmbiguousReference, match=r"None of the first 1,000 contacts of this customer is called 'Jo'"):
        the_contact([], "Jo", whole=False, of=52)
    with pytest.raises(AmbiguousReference, match="This customer has no contact called 'Jo'"):
        the_contact([], "Jo", whole=True, of=52)


# -------------------------------------------------------------------------------------------------- what is not seen


NEEDED: dict[str, dict[str, Any]] = {
    "create_part": {"part_number": "NEW-1"},
    "add_contact": {"customer": "52", "name": "Jo"},
    "create_enquiry": {"customer": "52"},
    "set_price_list": {"part": "WIDGET-001", "customer": "52", "price_breaks": breaks(q1="10")},
}


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("tool", "argument"),
    [
        ("create_part", "part_number"),
        ("create_part", "description"),
        ("create_part", "material"),
        ("add_contact", "name"),
        ("add_contact", "email"),
        ("add_contact", "job_title"),
        ("create_enquiry", "customer_ref"),
        ("create_enquiry", "notes"),
        ("set_price_list", "customer_part_number"),
    ],
)
@pytest.mark.parametrize(
    "unseen",
    ["\u200b", "\u202e", "\x1b", "\u00ad", "\ue000", "\u2028", "\x00", "\u3164", "\u2800", "\u034f", "\U000e0041"],
    ids=ascii,
)
async def test_a_text_that_would_be_sent_but_not_shown_is_refused(
    firm: Firm, tool: str, argument: str, unseen: str
) -> None:
    told = await shown(firm, tool, **{**NEEDED[tool], argument: f"WIDGET-{unseen}001"})
    assert (told["error"]["code"], told["error"]["written"]) == ("INVALID_INPUT", "no")
    assert f"{argument}: must not hold invisible characters; it holds U+{ord(unseen):04X}" in told["error"]["message"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("WIDGET\u00a0001", "holds U+00A0 NO-BREAK SPACE; use a plain space"),
        ("WIDGET\u2007001", "holds U+2007 FIGURE SPACE; use a plain space"),
        ("WIDGET\u3000001", "holds U+3000 IDEOGRAPHIC SPACE; use a plain space"),
        ("WIDGET  001", "holds several spaces in a row"),
        ("\u0301WIDGET", "begins with U+0301 COMBINING ACUTE ACCENT"),
        ("WIDGET\u2764\ufe0f", "it holds U+FE0F VARIATION SELECTOR-16"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize(
    ("tool", "argument"),
    [("create_part", "part_number"), ("add_contact", "name"), ("set_price_list", "customer_part_number")],
)
async def test_a_line_holds_nothing_that_cannot_be_told_apart_or_counted(
    firm: Firm, tool: str, argument: str, text: str, reason: str
) -> None:
    told = await shown(firm, tool, **{**NEEDED[tool], argument: text})
    assert told["error"]["code"] == "INVALID_INPUT"
    assert f"{argument}: " in told["error"]["message"]
    assert reason in told["error"]["message"]


async def test_notes_may_have_lines_and_other_spaces_which_the_preview_names_a_number_may_not(firm: Firm) -> None:
    async with firm.seat() as seat:
        notes = "One\n\ttwo\r\n  10\u00a0mm \u2764\ufe0f"
        told = await seat.call("create_enquiry", customer="52", notes=notes)
        write = await (await seat.runtime.write_service()).write(told["write_id"])
    assert rows(told)["notes"] == (
        None,
        "One¶[U+0009 TAB]two¶[2 spaces]10[U+00A0 NO-BREAK SPACE]mm \u2764[U+FE0F VARIATION SELECTOR-16]",
    )
    assert json.loads(write.plan.content)["notes"] == notes
    told = await shown(firm, "create_part", part_number="NEW\n1")
    assert told["error"]["code"] == "INVALID_INPUT"


async def test_what_is_sent_stands_whole_in_its_preview_however_long(firm: Firm) -> None:
    note, line = "n" * 3_999 + "1", "l" * 199 + "1"
    assert rows(await shown(firm, "create_enquiry", customer="52", notes=note))["notes"] == (None, note)
    told = await shown(firm, "create_part", part_number=line, description=line)
    assert rows(told)["part_number"] == rows(told)["description"] == (None, line)
    assert line in told["summary"]
    told = await shown(firm, "add_contact", customer="52", name=line)
    assert rows(told)["name"] == (None, line)
    told = await shown(
        firm,
        "set_price_list",
        part="WIDGET-001",
        customer="52",
        price_breaks=breaks(q1="10"),
        customer_part_number=line,
    )
    assert rows(told)["customer part number"] == ("ACM-100", line)


async def test_spaces_that_the_erp_holds_stand_in_the_preview_by_name_and_what_cannot_be_seen_is_not_read(
    firm: Firm,
) -> None:
    held = "ACM\u00a0100\u200b  X"
    firm.run("UPDATE price_lists SET customer_part_number = ? WHERE part_id = 1 AND customer_id = 52", held)
    told = await prices(firm, *breaks(q1="10"))
    shown_as = "ACM[U+00A0 NO-BREAK SPACE]100[2 spaces]X"
    assert rows(told)["customer part number"] == (shown_as, shown_as)


# --------------------------------------------------------------------------------------------------------------- parts


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("number", "warning"),
    [
        ("widget-001", "'WIDGET-001' exists already (id 1); FractionERP refuses a second."),
        ("SPACER10MM", "'SPACER 10 MM' (id 10) differs from this number in case or spaces only."),
        ("WIDGET-00", None),
    ],
)
async def test_a_part_number_that_is_there_or_nearly_there_is_a_warning(
    firm: Firm, number: str, warning: str | None
) -> None:
    told = await shown(firm, "create_part", part_number=number)
    assert warning in told["warnings"] if warning else told["warnings"] == []


async def test_a_duplicate_part_that_a_person_approved_all_the_same_is_refused_by_the_erp(firm: Firm) -> None:
    async with firm.seat("yes") as seat:
        told = await seat.call("create_part", part_number="widget-001")
    assert (told["outcome"], told["is_error"]) == ("failed", True)
    assert (told["error"]["code"], told["error"]["written"]) == ("DUPLICATE", "no")
    assert told["write_id"]
    assert firm.parts("widget-001") == []


async def test_a_part_that_a_plan_proves_to_exist_is_refused_before_anybody_is_asked(firm: Firm) -> None:
    asked: list[Any] = []

    async def never(_context: Any, form: Any) -> Any:
        asked.append(form)
        raise AssertionError("nobody is asked")

    async with firm.seat(never) as seat:
        told = await seat.call("create_part", part_number=" WIDGET-001 ")
        assert await (await seat.runtime.write_service()).journal.latest() == []
    assert (told["error"]["code"], told["error"]["written"], told["is_error"]) == ("DUPLICATE", "no", True)
    assert told["error"]["message"] == ("the part 'WIDGET-001' exists already (id 1), and FractionERP refuses a second")
    assert asked == firm.sent() == []


async def test_a_part_that_came_to_be_while_a_write_of_it_waited_is_not_asked_about_again(firm: Firm) -> None:
    async with firm.seat() as seat:
        assert (await seat.call("create_part", part_number="LATE-1"))["outcome"] == "awaiting_approval"
        async with firm.seat("yes", state_dir=firm.state / "other") as other:
            assert (await other.call("create_part", part_number="LATE-1"))["outcome"] == "done"
        again = await seat.call("create_part", part_number="LATE-1")
    assert again["error"]["code"] == "DUPLICATE"
