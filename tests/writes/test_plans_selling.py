"""What a person is shown before a write of sales: names and ids, before and after, and the warnings, gravest first."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.wire import Answer
from fraction_mcp.errors import AmbiguousReference
from fraction_mcp.operations.selling import _contacts, _the_contact

pytestmark = pytest.mark.anyio


def breaks(**prices: str) -> list[dict[str, Any]]:
    return [{"quantity": quantity.removeprefix("q"), "unit_price": price} for quantity, price in prices.items()]


def rows(told: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {row["field"]: (row["before"], row["after"]) for row in told["preview"]}


async def shown(firm: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    async with firm.seat() as seat:
        return await seat.call(tool, **arguments)


async def prices(firm: Any, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return await shown(
        firm, "set_price_list", part="WIDGET-001", customer="Acme Corp", price_breaks=list(steps), **more
    )


# --------------------------------------------------------------------------------------------------------- price lists


async def test_a_price_list_shows_each_break_before_and_after_with_the_change_in_per_cent(firm: Any) -> None:
    told = await prices(firm, *breaks(q1="12.50", q100="9.50", q250="9"))
    assert rows(told) == {
        "part": (None, "'WIDGET-001' (id 1)"),
        "customer": ("'Acme Corp' (id 52)", "'Acme Corp' (id 52)"),
        "currency": (None, "base currency"),
        "customer part number": ("ACM-100", "ACM-100"),
        "base selling price": ("10.50", "10.50"),
        "break from 1": ("12.50", "12.50"),
        "break from 100": ("10.00", "9.50 (-5.0 %)"),
        "break from 250": (None, "9.00"),
        "break from 500": ("8.50", None),
    }


async def test_the_warnings_of_a_price_list_name_what_disappears_rises_jumps_and_exceeds(firm: Any) -> None:
    told = await prices(firm, *breaks(q1="9", q100="13", q500="8.50"))
    assert told["warnings"] == [
        "The unit price rises with the quantity at 100.",
        "The price changes by more than 20 % at 1, 100.",
        "The price is above the base selling price at 100.",
    ]
    told = await prices(firm, *breaks(q250="9"))
    assert told["warnings"] == ["3 breaks disappear: from 1, 100, 500."]


@pytest.mark.parametrize(("price", "warned"), [("12.00", False), ("12.01", True), ("8.00", False), ("7.99", True)])
async def test_a_change_of_exactly_twenty_per_cent_is_not_more_than_that(firm: Any, price: str, warned: bool) -> None:
    told = await prices(firm, *breaks(q100=price))
    assert any("20 %" in warning for warning in told["warnings"]) is warned


async def test_a_price_of_exactly_the_base_selling_price_is_not_above_it(firm: Any) -> None:
    told = await prices(firm, *breaks(q1="10.50", q100="10", q500="8.50"))
    assert told["warnings"] == []


async def test_a_new_base_selling_price_is_the_one_that_counts(firm: Any) -> None:
    told = await prices(firm, *breaks(q1="12.50", q100="10", q500="8.50"), selling_price="12.50")
    assert rows(told)["base selling price"] == ("10.50", "12.50")
    assert told["warnings"] == []


async def test_unsorted_breaks_are_sent_in_order_and_the_plan_says_so(firm: Any) -> None:
    async with firm.seat("yes") as seat:
        steps = breaks(q500="8.50", q1="10", q100="9.50")
        told = await seat.call("set_price_list", part="WIDGET-001", customer="52", price_breaks=steps)
        sent = json.loads((await (await seat.office.clerk()).write(told["write_id"])).plan["content"])
    assert told["warnings"][-1] == "The breaks were not given in order of quantity; they are sent in order."
    assert [step["qty"] for step in sent["price_breaks"]] == [1, 100, 500]


async def test_a_break_given_twice_at_one_price_is_sent_once(firm: Any) -> None:
    async with firm.seat("yes") as seat:
        steps = [*breaks(q1="10"), {"quantity": 1, "unit_price": "10.00"}]
        told = await seat.call("set_price_list", part="WIDGET-001", customer="52", price_breaks=steps)
    assert "given twice at the same price" in " ".join(told["warnings"])
    assert firm.breaks("WIDGET-001", 52) == {"1": "10"}


async def test_a_break_given_twice_at_two_prices_cannot_be_meant(firm: Any) -> None:
    told = await prices(firm, *breaks(q1="10", q100="9"), {"quantity": "100", "unit_price": "9.5"})
    assert told["error"]["code"] == "INVALID_INPUT"
    assert told["error"]["written"] == "no"
    assert "price_breaks[2].quantity" in told["error"]["message"]


async def test_what_was_not_asked_to_change_is_sent_as_it_was_read(firm: Any) -> None:
    async with firm.seat("yes") as seat:
        told = await seat.call("set_price_list", part="WIDGET-001", customer="52", price_breaks=breaks(q1="10"))
        sent = (await (await seat.office.clerk()).write(told["write_id"])).plan["content"]
    assert json.loads(sent) == {
        "customer_id": 52,
        "customer_part_number": "ACM-100",
        "price_breaks": [{"price": 10, "qty": 1}],
        "selling_price": 10.5,
    }
    (held,) = firm.rows("SELECT * FROM price_lists WHERE part_id = 1 AND customer_id = 52")
    assert (held["customer_part_number"], held["selling_price"]) == ("ACM-100", "10.50000")


async def test_a_customer_without_a_price_list_is_linked_and_the_plan_says_so(firm: Any) -> None:
    told = await shown(firm, "set_price_list", part="WIDGET-001", customer="3", price_breaks=breaks(q1="10"))
    assert told["warnings"] == ["This customer is not linked to the part yet; this links it."]
    assert rows(told)["customer"] == (None, "'Müller & Söhne GmbH' (id 3)")
    assert "base selling price" not in rows(told)


async def test_prices_keep_every_digit_on_their_way(firm: Any) -> None:
    async with firm.seat("yes") as seat:
        steps = breaks(q1="0.12345", **{"q2.5": "0.1"})
        await seat.call("set_price_list", part="WIDGET-001", customer="52", price_breaks=steps)
    assert firm.breaks("WIDGET-001", 52) == {"1": "0.12345", "2.5": "0.1"}


# ----------------------------------------------------------------------------------------------------------- enquiries


async def test_an_enquiry_shows_names_with_their_ids(firm: Any) -> None:
    told = await shown(
        firm, "create_enquiry", customer="acme corp", contact="ruth.adeyemi@acmecorp.example", notes="Hi"
    )
    assert rows(told) == {
        "customer": (None, "'Acme Corp' (id 52)"),
        "contact": (None, "'Ruth Adeyemi' (id 42)"),
        "notes": (None, "Hi"),
    }


async def test_an_enquiry_with_a_reference_that_is_there_already_is_a_warning(firm: Any) -> None:
    async with firm.seat("yes") as seat:
        first = await seat.call("create_enquiry", customer="Acme Corp", customer_ref="PO-AGAIN")
    told = await shown(firm, "create_enquiry", customer="Acme Corp", customer_ref=" po-again", notes="different")
    number = first["result"]["quote_number"]
    assert told["warnings"] == [f"{number} of this customer already has the reference 'po-again'."]
    other = await shown(firm, "create_enquiry", customer="Acme Castings", customer_ref="PO-AGAIN")
    assert other["warnings"] == [], "another customer may use the same reference"


async def test_an_enquiry_can_be_planned_while_contracts_cannot_be_read(firm: Any) -> None:
    firm.arm("status", status=403, code="FORBIDDEN", path="/contracts", method="GET", times=9)
    told = await shown(firm, "create_enquiry", customer="Acme Corp", customer_ref="PO-BLIND")
    assert told["outcome"] == "awaiting_approval"
    assert told["warnings"] == ["Whether an enquiry with this reference exists could not be checked."]


# ------------------------------------------------------------------------------------------------------------ contacts


async def test_a_contact_of_the_same_name_or_e_mail_is_a_warning(firm: Any) -> None:
    told = await shown(firm, "add_contact", customer="52", name="ruth ADEYEMI", email="Zoe.Lambert@acmecorp.example")
    assert told["warnings"] == [
        "This customer already has a contact called 'ruth ADEYEMI' (id 42).",
        "The e-mail 'Zoe.Lambert@acmecorp.example' is already that of 'Zoë Lambert' (id 139).",
    ]


@pytest.mark.parametrize("email", ["jo", "@example.com", "jo@", "jo smith@example.com"])
async def test_an_e_mail_that_is_none_is_refused(firm: Any, email: str) -> None:
    told = await shown(firm, "add_contact", customer="52", name="Jo", email=email)
    assert (told["error"]["code"], told["error"]["written"]) == ("INVALID_INPUT", "no")
    assert "email" in told["error"]["message"]


def crowd(firm: Any, count: int) -> None:
    """So many more contacts of Acme Corp, the last of whom is Last Person."""
    firm.run(
        """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
           INSERT INTO contacts (customer_id, name, email, created_at, updated_at, haystack)
           SELECT 52, CASE WHEN i = ? THEN 'Last Person' ELSE 'Person ' || i END, 'p' || i || '@x.example', '', '', ''
           FROM n""",
        count,
        count,
    )


async def test_a_contact_behind_the_first_hundred_is_found(firm: Any) -> None:
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

    async def call(self, endpoint: Any, *, path: Any = None, query: Any = None, fresh: bool = False) -> Answer:
        assert fresh, "a plan rests on nothing from a cache"
        data: Any = {"id": 52}
        if endpoint is endpoints.CUSTOMER_CONTACTS:
            assert path == {"id": 52}
            self.pages.append(query)
            first = (query["page"] - 1) * query["per_page"]
            data = [{"id": number} for number in range(first, min(self.count, first + query["per_page"]))]
        return Answer(endpoint, 200, data, None, datetime.now(UTC))


@pytest.mark.parametrize(
    ("count", "read", "pages"),
    [(0, (0, True), 1), (99, (99, True), 2), (100, (100, True), 2), (250, (250, True), 4), (1_500, (1_000, False), 10)],
)
async def test_contacts_that_do_not_come_with_the_customer_are_paged_through(
    count: int, read: tuple[int, bool], pages: int
) -> None:
    erp: Any = Erp(count)
    contacts, whole = await _contacts(SimpleNamespace(fraction=erp), 52)  # type: ignore[arg-type]
    assert (len({one["id"] for one in contacts}), whole) == read
    assert [query["page"] for query in erp.pages] == list(range(1, pages + 1))


def test_where_not_all_contacts_were_read_a_missing_one_is_not_said_not_to_exist() -> None:
    with pytest.raises(AmbiguousReference, match=r"None of the first 1,000 contacts of this customer is called 'Jo'"):
        _the_contact([], "Jo", whole=False)
    with pytest.raises(AmbiguousReference, match="This customer has no contact called 'Jo'"):
        _the_contact([], "Jo", whole=True)


# -------------------------------------------------------------------------------------------------- what is not seen


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
@pytest.mark.parametrize("unseen", ["\u200b", "\u202e", "\x1b", "\u00ad", "\ue000", "\u2028", "\x00"])
async def test_a_text_that_would_be_sent_but_not_shown_is_refused(
    firm: Any, tool: str, argument: str, unseen: str
) -> None:
    needed: dict[str, Any] = {
        "create_part": {"part_number": "NEW-1"},
        "add_contact": {"customer": "52", "name": "Jo"},
        "create_enquiry": {"customer": "52"},
        "set_price_list": {"part": "WIDGET-001", "customer": "52", "price_breaks": breaks(q1="10")},
    }[tool]
    told = await shown(firm, tool, **{**needed, argument: f"WIDGET-{unseen}001"})
    assert (told["error"]["code"], told["error"]["written"]) == ("INVALID_INPUT", "no")
    assert argument in told["error"]["message"]
    assert "must not hold invisible characters" in told["error"]["message"]


async def test_notes_may_have_lines_a_number_may_not(firm: Any) -> None:
    told = await shown(firm, "create_enquiry", customer="52", notes="One\n\ttwo\r\nthree")
    assert rows(told)["notes"] == (None, "One two three")
    told = await shown(firm, "create_part", part_number="NEW\n1")
    assert told["error"]["code"] == "INVALID_INPUT"


@pytest.mark.parametrize(
    ("length", "end"),
    [(1_000, "nnn"), (1_001, "n … (1,001 characters in all)"), (3_790, "n … (3,790 characters in all)")],
)
async def test_notes_too_long_to_be_shown_say_how_long_they_are(firm: Any, length: int, end: str) -> None:
    value = rows(await shown(firm, "create_enquiry", customer="52", notes="n" * length))["notes"][1] or ""
    assert value.endswith(end)


# --------------------------------------------------------------------------------------------------------------- parts


@pytest.mark.parametrize(
    ("number", "warning"),
    [
        ("widget-001", "'WIDGET-001' exists already (id 1); FractionERP refuses a second."),
        ("SPACER10MM", "'SPACER 10 MM' (id 10) differs from this number in case or spaces only."),
        ("WIDGET-00", None),
    ],
)
async def test_a_part_number_that_is_there_or_nearly_there_is_a_warning(
    firm: Any, number: str, warning: str | None
) -> None:
    told = await shown(firm, "create_part", part_number=number)
    assert warning in told["warnings"] if warning else told["warnings"] == []


async def test_a_duplicate_part_that_a_person_approved_all_the_same_is_refused_by_the_erp(firm: Any) -> None:
    async with firm.seat("yes") as seat:
        told = await seat.call("create_part", part_number="widget-001")
    assert (told["outcome"], told["is_error"]) == ("failed", True)
    assert (told["error"]["code"], told["error"]["written"]) == ("DUPLICATE", "no")
    assert told["write_id"]
    assert firm.parts("widget-001") == []
