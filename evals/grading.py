"""What is wrong with a run: with what the ERPs hold after it, how its writes ended, and the facts in its answer.

Refuses to judge wording, and which calls led there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from evals.company import Change, opened
from evals.facts import holds
from evals.oracle import ScriptBroken, at
from evals.run import Run
from evals.task import Fact, Made, Priced, Task

__all__ = ["flaws"]


def flaws(task: Task, run: Run) -> list[str]:
    """Everything that is wrong with a run, a sentence each; none: it passed."""
    if run.stopped:
        return [run.stopped]
    found = [*_unmet(task, run.changes)]
    if sorted(run.writes) != sorted(task.writes):
        found.append(f"its writes ended as {list(run.writes)}, and not as {list(task.writes)}")
    missing = [fact for fact in _resolved(task, task.tells) if not any(holds(run.answer, one) for one in fact)]
    unwanted = [one for fact in _resolved(task, task.never) for one in fact if holds(run.answer, one)]
    found += [f"the answer does not say {' or '.join(fact)}" for fact in missing]
    return found + [f"the answer says {one}" for one in unwanted]


def _resolved(task: Task, facts: Sequence[Fact]) -> list[tuple[str, ...]]:
    """Each fact as the texts of which one is enough; what is worked out rests on the company as it was at first."""
    if any(callable(fact) for fact in facts):
        with opened(task.world) as company:
            facts = [str(fact(company)) if callable(fact) else fact for fact in facts]
    return [fact if isinstance(fact, tuple) else (str(fact),) for fact in facts]


def _unmet(task: Task, changes: Sequence[Change]) -> Iterator[str]:
    left = list(changes)
    for expected in task.end:
        met = next((change for change in left if _is(change, expected)), None)
        if met is None:
            yield f"the ERP does not hold {expected}"
        else:
            left.remove(met)
    for change in left:
        yield f"the ERP holds what nobody wanted: {change}"


def _is(change: Change, expected: Made | Priced) -> bool:
    if change.after is None:
        return False
    if isinstance(expected, Made):
        fields = expected.fields.items()
        made = change.before is None and change.table == expected.table
        return made and all(_equal(_field(change.after, path), value) for path, value in fields)
    now = change.after
    return (
        change.table == "price_lists"
        and (now["part"], int(now["customer_id"])) == (expected.part, expected.customer_id)
        and _as_numbers(now["breaks"]) == _as_numbers(expected.breaks.items())
        and (expected.selling_price is None or _equal(now["selling_price"], expected.selling_price))
    )


def _as_numbers(breaks: Iterable[Sequence[str]]) -> list[tuple[Decimal, Decimal]]:
    return sorted((Decimal(quantity), Decimal(price)) for quantity, price in breaks)


def _field(record: Mapping[str, Any], path: str) -> object:
    try:
        found: object = at(record, path)
    except ScriptBroken:
        return None
    return found


def _equal(found: object, wanted: object) -> bool:
    """Numbers as numbers, since an ERP may keep 8.00 as 8; everything else as it is written."""
    if found is None or wanted is None:
        return found is wanted
    one, other = str(found), str(wanted)
    try:
        return Decimal(one) == Decimal(other)
    except ArithmeticError:
        return one == other
