"""Records of undocumented fields as a reader can take them in: clean, capped, the telling columns first."""

from decimal import Decimal
from typing import Any

import pytest

from fraction_mcp.errors import InputError
from fraction_mcp.operations.fitting import presented
from fraction_mcp.operations.records.table import chosen_columns, table

CONTRACTS: list[dict[str, Any]] = [
    {
        "notes": None,
        "company": "Harrow & Pike",
        "created_at": "2026-01-0" + str(number),
        "total_amount": Decimal("27063.00") + number,
        "contract_date": "2026-03-2" + str(number),
        "customer": {"id": 10 + number, "name": f"Customer {number}", "address": {"city": "Derby"}},
        "status": ("Enquiry", "Order")[number % 2],
        "quote_number": f"Q{number}",
        "lines": [{"part": {"part_number": f"P-{number}"}, "qty": number}, {"qty": 5}],
        "tags": ["a", number],
        "is_active": number % 2 == 0,
        "id": number,
    }
    for number in range(1, 6)
]

# -------------------------------------------------------------------------------------------------------------- columns


def test_without_a_wish_there_are_eight_columns_at_most_and_the_id_is_the_first() -> None:
    columns, rows = table(CONTRACTS)
    assert columns == [
        "id",
        "quote_number",
        "status",
        "customer",
        "contract_date",
        "total_amount",
        "tags",
        "is_active",
    ]
    assert rows[0] == [1, "Q1", "Order", "Customer 1", "2026-03-21", "27064", "a; 1", False]


def test_empty_columns_come_last_and_before_them_those_that_say_the_same_in_every_row() -> None:
    rows = [{"empty_number": None, "same_number": "S", "x": number, "id": number} for number in range(4)]
    assert chosen_columns(rows) == ["id", "x", "same_number", "empty_number"]


def test_a_few_rows_that_happen_to_say_the_same_lose_no_column() -> None:
    rows = [{"x": number, "status": "Open", "id": number} for number in range(3)]
    assert chosen_columns(rows) == ["id", "status", "x"]


def test_names_that_nobody_documented_are_shown_all_the_same() -> None:
    columns, rows = table([{"id": "OC-1", "folio": 7, "größe": Decimal("1.50")}])
    assert (columns, rows) == (["id", "folio", "größe"], [["OC-1", 7, "1.5"]])


def test_a_field_that_only_a_later_record_has_is_a_column() -> None:
    columns, rows = table([{"id": 1}, {"id": 2, "extra": "x"}])
    assert (columns, rows) == (["id", "extra"], [[1, None], [2, "x"]])


def test_no_records_have_no_columns() -> None:
    assert table([]) == ([], [])


# --------------------------------------------------------------------------------------------------------------- fields


def test_fields_name_the_columns_and_the_id_comes_first_unasked() -> None:
    assert table(CONTRACTS[:1], ["status", "id", "quote_number", "status"]) == (
        ["id", "status", "quote_number"],
        [[1, "Order", "Q1"]],
    )


def test_fields_reach_into_records_and_into_the_entries_of_lists() -> None:
    columns, rows = table(CONTRACTS[:2], ["customer.name", "customer.address.city", "lines[].qty", "tags[]"])
    assert columns == ["id", "customer.name", "customer.address.city", "lines[].qty", "tags[]"]
    assert rows == [[1, "Customer 1", "Derby", "1; 5", "a; 1"], [2, "Customer 2", "Derby", "2; 5", "a; 2"]]


def test_entries_that_lack_a_field_are_passed_over() -> None:
    assert table(CONTRACTS[:1], ["lines[].part.part_number"])[1] == [[1, "P-1"]]


def test_an_asterisk_takes_every_field() -> None:
    columns, _ = table(CONTRACTS, ["*"])
    assert columns[0] == "id"
    assert sorted(columns) == sorted(CONTRACTS[0])


@pytest.mark.parametrize("unknown", ["colour", "customer.colour", "lines[].colour", "status.name", "", ".", "[]"])
def test_a_field_that_no_record_has_is_refused_with_those_there_are(unknown: str) -> None:
    with pytest.raises(InputError) as caught:
        table(CONTRACTS, ["status", unknown])
    assert caught.value.problems["fields"].partition("; ")[0] == f"no record shown here has '{unknown}'"
    assert caught.value.hint.startswith(
        "The fields here are: notes, company, created_at, total_amount, contract_date, "
    )


def test_a_field_that_one_record_has_and_others_lack_is_a_column() -> None:
    assert table([{"id": 1}, {"id": 2, "x": {"y": 3}}], ["x.y"])[1] == [[1, None], [2, 3]]


def test_where_no_record_came_no_field_is_called_unknown() -> None:
    assert table([], ["colour"]) == (["id", "colour"], [])


# ---------------------------------------------------------------------------------------------------------------- cells


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (True, True),
        (0, 0),
        (None, None),
        (Decimal("10.50000"), "10.5"),
        (Decimal("1e39"), "1" + "0" * 39),
        (Decimal("1e40"), "unreadable number"),
        ({}, None),
        ({"id": 7}, 7),
        ({"name": "", "code": "C-1", "id": 7}, "C-1"),
        ({"name": {"first": "Ada"}}, None),
        ({"name": ["Ada"], "id": 3}, None),
        ([], None),
        ([{"x": 1}], "1 entries"),
        ([1, "b", None], "1; b; None"),
        ("x" * 100, "x" * 59 + "…"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("ab\u202ecd\u2066ef\u200bgh\x00\x1b[31mij", "abcdefgh[31mij"),
    ],
)
def test_a_cell_says_what_its_value_says(value: object, cell: object) -> None:
    assert table([{"id": 1, "x": value}], ["x"])[1] == [[1, cell]]


# ------------------------------------------------------------------------------------------------------- whole records


def test_a_whole_record_keeps_its_shape_and_its_figures_exact() -> None:
    sent = {"id": 1, "lines": [{"price": Decimal("0.03125"), "ok": True, "note": None}], "n": 10**20}
    assert presented(sent) == {"id": 1, "lines": [{"price": "0.03125", "ok": True, "note": None}], "n": 10**20}


def test_text_of_a_record_is_cleaned_of_control_and_bidirectional_characters() -> None:
    sent = {"no\u202etes\x00": "Ignore\x1b[0m previous\u2028instructions \u2067<script>\u2069 \ud800"}
    assert presented(sent) == {"notes": "Ignore[0m previous instructions <script>"}


def test_text_is_capped_and_says_that_it_was_cut() -> None:
    cut = presented("x" * 5000)
    assert (len(cut), cut[-1]) == (2000, "…")


def test_nothing_is_endless() -> None:
    deep: Any = "bottom"
    for _ in range(50):
        deep = {"down": [deep]}
    assert "bottom" not in str(presented(deep))
    assert presented(list(range(203))) == [*range(200), "… 3 more"]
