"""A second pair of eyes: which writes need the yes of somebody else than whoever asked, and whose yes counts.

FRACTION_MCP_APPROVERS holds rules, `tool: e-mail, e-mail` or `tool > amount: e-mail`, between semicolons. The people of
one rule are alternatives. Where several rules concern a write, whoever approves must stand in each of them: a further
rule narrows who may, and never widens it. Writes under one question have one answer, so the rules of any concern all.
Where that leaves nobody, nothing is asked. Knows no database and no channel.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from fraction_mcp.errors import ConfigError, NotTheApprover
from fraction_mcp.operations.writes.plan import FrozenPlan
from fraction_mcp.operations.writes.write import Write, names
from fraction_mcp.values.decimals import exact_product, exact_sum
from fraction_mcp.values.text import clean, quoted

__all__ = ["SIGNED_IN", "TOOLS", "Approvers", "Decider", "Rule", "Viewer", "spelt", "subject_of"]

SIGNED_IN = "signed-in:"
"""How the asker of a write begins who signed in, before their subject: no OS account is spelt so."""


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decides: `name` says in words who, and through what; `subject` is who they are to the rules: the e-mail that
    somebody signed in with, or the OS account. Nobody is known by an empty one."""

    name: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at the journal: as `asker`, they see what they asked for; as `subject`, what they may approve."""

    asker: str
    subject: str = ""


def subject_of(asker: str) -> str:
    """Who an asker is, as the rules know people."""
    return asker.removeprefix(SIGNED_IN)


def spelt(person: str) -> str:
    """The one spelling of an e-mail: in small letters, composed, without spaces around it. What only looks alike stays
    somebody else."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", person).strip().lower())


def _folded(person: str) -> str:
    """Wider than `spelt`: who might be one person counts as one where it is about approving what they asked for."""
    return spelt(person).casefold()


def _order_total(content: Mapping[str, object]) -> Decimal:
    """What an order comes to, exactly: from its quantities and costs, or its own totals, whichever is more."""
    items = content["items"]
    if not isinstance(items, list):
        raise TypeError("an order's items are a list")
    products = exact_sum(exact_product(Decimal(item["unit_cost"]), Decimal(item["qty"])) for item in items)
    return max(products, exact_sum(Decimal(item["total_cost"]) for item in items))


_AMOUNTS: Mapping[str, Callable[[Mapping[str, object]], Decimal]] = {"create_fracttal_purchase_order": _order_total}

TOOLS = frozenset({"add_contact", "create_enquiry", "create_part", "set_price_list", *_AMOUNTS})
"""The tools whose writes a rule may be about; a test holds them against the catalogue."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`people`, each `spelt`, approve what `tool` writes; with `above`, only what comes to more than that."""

    tool: str
    people: frozenset[str]
    above: Decimal | None = None

    def concerns(self, plan: FrozenPlan) -> bool:
        """By the bytes that are sent. Where they tell no amount, the rule holds."""
        if plan.tool != self.tool:
            return False
        if self.above is None:
            return True
        try:
            amount = _AMOUNTS[self.tool](json.loads(plan.content, parse_float=Decimal, parse_int=Decimal))
            within = amount <= self.above
        except (ValueError, TypeError, KeyError, AttributeError, InvalidOperation):
            return True
        return not within


@dataclass(frozen=True, slots=True)
class Approvers:
    """The rules of one process."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def read(cls, text: str) -> "Approvers":
        """Raises ConfigError naming what is wrong with the rules."""
        try:
            rules = tuple(_rule(part.strip()) for part in text.split(";") if part.strip())
            for tool in {rule.tool for rule in rules}:
                of_tool = [rule.people for rule in rules if rule.tool == tool]
                if not frozenset.intersection(*of_tool):
                    raise ValueError(  # noqa: TRY301 - it is told with the others
                        f"nobody stands in every rule for {tool}, so nobody could approve what all of them concern: "
                        "name somebody in each"
                    )
        except ValueError as error:
            raise ConfigError(f"FRACTION_MCP_APPROVERS: {error}") from None
        return cls(rules)

    def asked_for(self, plans: Sequence[FrozenPlan], *, asker: str, accounts: Iterable[str] = ()) -> tuple[str, ...]:
        """Who may approve these under one question, in order; empty where no rule concerns any. Whoever asks, or has
        one of these accounts in the ERPs, may not.

        Raises NotTheApprover where that leaves nobody: nothing is asked then.
        """
        needed = [rule.people for rule in self.rules if any(map(rule.concerns, plans))]
        if not needed:
            return ()
        may = _others(frozenset.intersection(*needed), [subject_of(asker), *accounts])
        if not may:
            rules = " and ".join(dict.fromkeys(f"from {names(people)}" for people in needed))
            what = "this write needs" if len(plans) == 1 else "these writes together need"
            raise NotTheApprover(
                f"{what} a yes {rules}, and there is nobody who may give it; nothing was written",
                hint="Ask for each of them alone."
                if len(plans) > 1
                else "Tell the user: somebody else must ask for it.",
            )
        return tuple(sorted(may))

    def why_not(self, writes: Sequence[Write], by: Decider) -> str:
        """Why this person's yes to these writes does not count; empty where it does. Both what was asked for when they
        were proposed and the rules of this process must be met."""
        needed = [people for write in writes for people in self._needed(write)]
        if not needed:
            return ""
        may = frozenset.intersection(*needed)
        whoever_asked = [who for write in writes for who in (subject_of(write.asker), write.identity.account)]
        others = _others(may, whoever_asked)
        it = "this write needs" if len(writes) == 1 else "these writes need"
        reason = f"{it} a yes from {names(others)}" if others else f"{it} a yes that nobody can give as the rules stand"
        if by.subject and _folded(by.subject) in set(map(_folded, whoever_asked)):
            return f"{reason}; you asked for it"
        if not by.subject or spelt(by.subject) not in others:
            return f"{reason}; {quoted(clean(by.subject, 80)) if by.subject else 'whoever this is'} is somebody else"
        return ""

    def who_must(self, writes: Sequence[Write]) -> str:
        """In words who may approve these; empty where no rule concerns them."""
        needed = [people for write in writes for people in self._needed(write)]
        return names(frozenset.intersection(*needed)) if needed else ""

    def _needed(self, write: Write) -> list[frozenset[str]]:
        recorded = [frozenset(write.approvers)] if write.approvers else []
        return recorded + [rule.people for rule in self.rules if rule.concerns(write.plan)]


def _others(people: Iterable[str], whoever_asked: Iterable[str]) -> frozenset[str]:
    same = set(map(_folded, whoever_asked))
    return frozenset(each for each in people if _folded(each) not in same)


_RULE = re.compile(r"(?P<tool>[^\s>:]+)\s*(>\s*(?P<above>[^:]*?)\s*)?:(?P<people>.*)", re.DOTALL)
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
_EMAIL = re.compile(r"[^\s@,;:<>\"']+@[^\s@,;:<>\"']+")


def _rule(text: str) -> Rule:
    """Raises ValueError with the flaw."""
    parts = _RULE.fullmatch(text)
    if parts is None:
        raise ValueError(f"{quoted(clean(text, 80))} is no rule such as set_price_list: anna@example.com")
    tool, above, people = parts["tool"], parts["above"], [each.strip() for each in parts["people"].split(",")]
    if tool == "submit_writes":
        raise ValueError("submit_writes is asked about as the writes that it holds: name their tools")
    if tool not in TOOLS:
        raise ValueError(f"{quoted(clean(tool, 60))} is no tool that writes; these are: {', '.join(sorted(TOOLS))}")
    if above is not None and tool not in _AMOUNTS:
        raise ValueError(f"{tool} has no amount that could be above {quoted(clean(above, 30))}")
    if above is not None and not _AMOUNT.fullmatch(above):
        raise ValueError(f"{quoted(clean(above, 30))} must be an amount such as 5000 or 5000.50")
    for each in people:
        if not _EMAIL.fullmatch(each) or not each.isprintable() or clean(each, 320) != each:
            raise ValueError(f"{quoted(clean(each, 80))} is no e-mail, in the rule for {tool}")
    return Rule(tool, frozenset(map(spelt, people)), None if above is None else Decimal(above))
