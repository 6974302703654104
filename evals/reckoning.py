"""Facts worked out from the embedded company's own records, in plain decimals: what a tool should have found."""

from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from evals.company import Company
from evals.task import Fact

__all__ = ["count", "matching", "of", "share", "total", "value"]

Condition = str | Callable[[Any], bool]
"""What a field must be: this text, case and all, or whatever the function takes."""

_CENT = Decimal("0.01")


def matching(company: Company, table: str, where: Mapping[str, Condition]) -> Iterator[dict[str, Any]]:
    """The records whose fields (`customer.name` for one within another) are all as they must be."""
    for record in company.records(table):
        if all(_meets(value(record, path), wanted) for path, wanted in where.items()):
            yield record


def count(table: str, **where: Condition) -> Fact:
    return lambda company: len(list(matching(company, table, _paths(where))))


def total(table: str, field: str, **where: Condition) -> Fact:
    """Their sum, to the cent."""
    return lambda company: _sum(company, table, field, _paths(where)).quantize(_CENT)


def share(table: str, field: str, of_all: Mapping[str, Condition], part: Mapping[str, Condition]) -> Fact:
    """How many per cent of the sum over `of_all` is that over `part`, to one place."""

    def per_cent(company: Company) -> Decimal:
        whole = _sum(company, table, field, of_all)
        return (100 * _sum(company, table, field, {**of_all, **part}) / whole).quantize(Decimal("0.1"), ROUND_HALF_UP)

    return per_cent


def of(table: str, field: str, **where: Condition) -> Fact:
    """A field of the one record that is meant. Raises ValueError where it is not one."""

    def only(company: Company) -> object:
        (record,) = matching(company, table, _paths(where))
        return value(record, field)

    return only


def value(record: Mapping[str, Any], path: str) -> Any:
    found: Any = record
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _paths(where: Mapping[str, Condition]) -> dict[str, Condition]:
    """`customer__name` is how a keyword spells `customer.name`."""
    return {name.replace("__", "."): wanted for name, wanted in where.items()}


def _meets(found: Any, wanted: Condition) -> bool:
    return wanted(found) if callable(wanted) else str(found) == wanted


def _sum(company: Company, table: str, field: str, where: Mapping[str, Condition]) -> Decimal:
    return sum((Decimal(str(value(record, field))) for record in matching(company, table, where)), Decimal(0))
