"""Customers' own part numbers, as the price lists that were read here hold them. Nothing here reads.

FractionERP's documents know such a number in the price list of a part and a customer alone, and no way to search by it.
What is remembered only says where to look: whoever uses it reads that list anew, as old as the memory of reads allows,
and forgets what holds no more. So it may live as long as the process.
"""

from collections import OrderedDict
from collections.abc import Iterable

from fraction_mcp.erp.records import PriceList, id_key
from fraction_mcp.values.text import normalised

__all__ = ["OwnNumbers"]

_MOST = 10_000  # price lists, each of one part and one customer

Key = int | str | None


class OwnNumbers:
    """Which part each customer calls by a number of its own. The lists that were read longest ago are forgotten."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._numbers: OrderedDict[tuple[Key, Key], frozenset[str]] = OrderedDict()

    def look(self, part_id: object, lists: Iterable[PriceList]) -> None:
        """These price lists of a part were read."""
        numbers: dict[tuple[Key, Key], set[str]] = {}
        for price_list in lists:
            own = {number} if (number := normalised(price_list.customer_part_number)) else set()
            numbers.setdefault((price_list.customer_id, id_key(part_id)), set()).update(own)
        for key, held in numbers.items():
            self._numbers[key] = frozenset(held)
            self._numbers.move_to_end(key)
        while len(self._numbers) > self._most:
            self._numbers.popitem(last=False)

    def forget(self, part_id: object, customer_id: object) -> None:
        """The part, or this customer's list of it, is no more."""
        self._numbers.pop((id_key(customer_id), id_key(part_id)), None)

    def parts_called(self, number: str, customer_id: object) -> list[int]:
        """The ids of the parts that a customer calls so: numbers, as the document has them."""
        wanted, buyer = normalised(number), id_key(customer_id)
        return [
            part
            for (customer, part), held in self._numbers.items()
            if customer == buyer and wanted in held and isinstance(part, int)
        ]

    def anyone_calls(self, number: str) -> bool:
        wanted = normalised(number)
        return any(wanted in held for held in self._numbers.values())

    def lists_of(self, customer_id: object) -> int:
        """How many price lists of a customer are remembered."""
        buyer = id_key(customer_id)
        return sum(customer == buyer for customer, _ in self._numbers)
