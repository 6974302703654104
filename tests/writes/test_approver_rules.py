"""The rules of FRACTION_MCP_APPROVERS by themselves: what they may say, which writes they concern, whose yes counts."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fraction_mcp.config import Settings
from fraction_mcp.errors import ConfigError, NotTheApprover
from fraction_mcp.operations.writes.approvers import TOOLS, Approvers, Decider
from fraction_mcp.runtime import Runtime
from fraction_mcp.tools.catalogue import catalogue
from tests.writes.made import HERE, frozen_plan

ORDER = "create_fracttal_purchase_order"


def order(*lines: tuple[str, str], **changes: Any) -> Any:
    """An order's plan; each line is a quantity and a unit cost."""
    items = [{"code": "D", "qty": qty, "unit_cost": float(cost), "total_cost": 0} for qty, cost in lines]
    return frozen_plan(tool=ORDER, **({"content": json.dumps({"document": "1", "items": items})} | changes))


@pytest.mark.parametrize(
    ("rules", "flaw"),
    [
        ("set_prices: anna@x.example", "'set_prices' is no tool that writes; these are: add_contact, create_enquiry"),
        ("list_records: anna@x.example", "'list_records' is no tool that writes"),
        ("submit_writes: anna@x.example", "name their tools"),
        ("set_price_list > 5: anna@x.example", "set_price_list has no amount that could be above '5'"),
        (f"{ORDER} > 5,000: anna@x.example", "'5,000' must be an amount such as 5000"),
        (f"{ORDER} > -1: anna@x.example", "must be an amount"),
        (f"{ORDER} >: anna@x.example", "must be an amount"),
        (f"{ORDER} > nan: anna@x.example", "must be an amount"),
        ("set_price_list: anna", "'anna' is no e-mail, in the rule for set_price_list"),
        ("set_price_list:", "'' is no e-mail"),
        ("set_price_list: anna@x.example,", "'' is no e-mail"),
        ("set_price_list: anna@x.example bo@x.example", "is no e-mail"),
        ("set_price_list: anna\u200b@x.example", "is no e-mail"),
        ("set_price_list", "is no rule such as"),
        ("anna@x.example", "is no rule such as"),
        ("create_part: anna@x.example; create_part: bo@x.example", "nobody stands in every rule for create_part"),
    ],
)
def test_a_rule_that_cannot_hold_stops_the_start_and_names_its_flaw(rules: str, flaw: str) -> None:
    with pytest.raises(ConfigError, match="FRACTION_MCP_APPROVERS: ") as refused:
        Runtime(Settings(approvers=rules, state_dir=Path("nowhere")))
    assert flaw in refused.value.message


def test_the_tools_that_a_rule_may_name_are_all_that_write() -> None:
    assert {name for name, spec in catalogue().items() if spec.effect.plans} == TOOLS


@pytest.mark.parametrize(
    ("lines", "concerned"),
    [
        ([("1", "5000")], False),
        ([("1", "5000.01")], True),
        ([("2", "2500")], False),
        ([("2", "2500.005")], True),
        ([("1", "2500"), ("1", "2500")], False),
        ([("1", "2500"), ("1", "2500.000001")], True),
        ([("0.1", "25000"), ("0.2", "12500.0001")], True),
        ([(str(n), "0.000001") for n in (2_500_000_000, 2_500_000_000)], False),
    ],
)
def test_a_threshold_is_held_against_the_exact_total_of_all_lines(
    lines: list[tuple[str, str]], concerned: bool
) -> None:
    rules = Approvers.read(f"{ORDER} > 5000: boss@x.example")
    assert bool(rules.asked_for([order(*lines)], asker="anna")) is concerned


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", "null", "", '{"items": {}}', '{"items": [{"qty": "1"}]}', '{"items": [1]}',
     '{"items": [{"qty": "x", "unit_cost": 1, "total_cost": 1}]}',
     '{"items": [{"qty": "NaN", "unit_cost": 1, "total_cost": 1}]}',
     '{"items": [{"qty": "1", "unit_cost": 1, "total_cost": 5000.01}]}'],
)  # fmt: skip
def test_an_amount_that_cannot_be_told_or_is_told_twice_counts_as_above(content: str) -> None:
    rules = Approvers.read(f"{ORDER} > 5000: boss@x.example")
    assert rules.asked_for([order(content=content)], asker="anna") == ("boss@x.example",)


def test_a_rule_that_is_added_narrows_who_may_and_never_widens_it() -> None:
    rules = Approvers.read(f"{ORDER} > 1000: anna@x.example, boss@x.example; {ORDER} > 5000: boss@x.example")
    assert rules.asked_for([order(("1", "900"))], asker="cy") == ()
    assert rules.asked_for([order(("1", "2000"))], asker="cy") == ("anna@x.example", "boss@x.example")
    assert rules.asked_for([order(("1", "6000"))], asker="cy") == ("boss@x.example",)


def test_what_nobody_could_approve_is_not_asked_and_says_who_would_have_to() -> None:
    rules = Approvers.read(f"create_part: anna@x.example; {ORDER}: boss@x.example")
    with pytest.raises(NotTheApprover, match=r"these writes together need a yes from anna@x\.example and from boss@x"):
        rules.asked_for([frozen_plan(), order(("1", "1"))], asker="cy")
    with pytest.raises(NotTheApprover, match=r"this write needs a yes from anna@x\.example, and there is nobody"):
        rules.asked_for([frozen_plan()], asker="signed-in:Anna@x.example")


@pytest.mark.parametrize("asker", ["ANNA@x.example", "  anna@X.example ", "signed-in:anna@x.EXAMPLE", "anna@x.example"])
def test_who_asks_is_left_out_however_their_e_mail_is_spelt(asker: str) -> None:
    rules = Approvers.read("create_part: anna@x.example, bo@x.example")
    assert rules.asked_for([frozen_plan()], asker=asker) == ("bo@x.example",)
    assert rules.asked_for([frozen_plan()], asker="a desk", accounts=[asker.removeprefix("signed-in:")]) == (
        "bo@x.example",
    )


def _waiting(**changes: Any) -> Any:
    facts: dict[str, Any] = {
        "plan": frozen_plan(),
        "asker": "signed-in:cy@x.example",
        "approvers": (),
        "identity": HERE,
    }
    return SimpleNamespace(**(facts | changes))


@pytest.mark.parametrize(
    ("subject", "counts"),
    [
        ("bo\u00e9@x.example", True),
        ("boe\u0301@x.example", True),  # the same, decomposed
        ("BO\u00c9@X.Example ", True),
        ("boe@x.example", False),
        ("b\u043e\u00e9@x.example", False),  # a Cyrillic o
        ("\uff42o\u00e9@x.example", False),  # a letter of full width
        ("bo\u00e9@x.example,cy@x.example", False),
        ("bo\u00e9@x.example\u200b", False),
        ("", False),
    ],
)
def test_an_e_mail_counts_in_its_own_spelling_and_nothing_that_looks_like_it(subject: str, counts: bool) -> None:
    rules = Approvers.read("create_part: bo\u00e9@x.example")
    assert (rules.why_not([_waiting()], Decider("somebody", subject)) == "") is counts


@pytest.mark.parametrize("subject", ["boss@x.example", "bo\u017fs@x.example"])
def test_a_letter_that_only_folds_to_another_is_no_approver_s_but_may_be_the_asker_s(subject: str) -> None:
    """`ſ` folds to `s`: it opens nothing, and shuts."""
    rules = Approvers.read("create_part: boss@x.example")
    assert (rules.why_not([_waiting()], Decider("", subject)) == "") is (subject == "boss@x.example")
    asked = _waiting(asker="signed-in:bo\u017fs@x.example")
    assert "you asked for it" in rules.why_not([asked], Decider("", subject))


def test_what_was_asked_for_and_what_this_process_says_must_both_be_met() -> None:
    write, here = _waiting(approvers=("anna@x.example",)), Approvers.read("create_part: bo@x.example")
    assert Approvers().why_not([write], Decider("", "anna@x.example")) == ""
    assert Approvers().why_not([write], Decider("", "bo@x.example")) != ""
    assert here.why_not([write], Decider("", "anna@x.example")) == (
        "this write needs a yes that nobody can give as the rules stand; 'anna@x.example' is somebody else"
    )


def test_the_refusal_says_who_may() -> None:
    rules = Approvers.read("create_part: boss@x.example, cy@x.example")
    assert rules.why_not([_waiting()], Decider("", "cy@x.example")) == (
        "this write needs a yes from boss@x.example; you asked for it"
    )
    assert rules.why_not([_waiting()], Decider("", "root")) == (
        "this write needs a yes from boss@x.example; 'root' is somebody else"
    )
