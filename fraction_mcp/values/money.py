"""Money: an amount and the currency that it is in; and how figures stand in a result, as decimal text."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import PlainSerializer, WithJsonSchema

from fraction_mcp.values.decimals import EXACT, exact_total, plain, to_cents

__all__ = ["TEXT_SCHEMA", "Amount", "ExactAmount", "Money", "Quantity", "UnitPrice"]


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency: an ISO 4217 code, or empty for the base currency whose code is not known.

    Adding or comparing two currencies raises ValueError: whoever meets two has to say so, and not to count on.
    """

    amount: Decimal
    currency: str = ""

    @classmethod
    def of(cls, unit_price: Decimal, quantity: Decimal, currency: str) -> "Money":
        """What so many cost, rounded half up to 2 places (docs/contract.md, Tools)."""
        return cls(exact_total(unit_price, quantity), currency)

    @classmethod
    def sum(cls, amounts: Iterable["Money"], currency: str) -> "Money":
        """The exact sum of amounts, all of which must be in this currency; nothing at all is 0 of it."""
        whole = cls(Decimal(0), currency)
        for amount in amounts:
            whole += amount
        return whole

    def __add__(self, other: "Money") -> "Money":
        return Money(EXACT.add(self.amount, self._same_as(other)), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(EXACT.subtract(self.amount, self._same_as(other)), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same_as(other)

    def __str__(self) -> str:
        """As a sentence has it: with the currency's code, or saying that it is the base currency."""
        return f"{self.figure} {self.currency or 'in base currency'}"

    @property
    def figure(self) -> str:
        """The amount alone, for where the currency has just been said."""
        return plain(self.amount, 2)

    def _same_as(self, other: "Money") -> Decimal:
        if self.currency != other.currency:
            ours, theirs = (amount.currency or "base currency" for amount in (self, other))
            raise ValueError(f"{ours} and {theirs} are not one money")
        return other.amount


TEXT_SCHEMA: Any = {"type": "string"}
Quantity = Annotated[Decimal, PlainSerializer(plain, return_type=str), WithJsonSchema(TEXT_SCHEMA)]
UnitPrice = Annotated[Decimal, PlainSerializer(lambda n: plain(n, 2), return_type=str), WithJsonSchema(TEXT_SCHEMA)]
ExactAmount = UnitPrice
"""An amount with all its decimals: at least two, and no trailing noughts beyond them."""
Amount = Annotated[
    Decimal, PlainSerializer(lambda n: plain(to_cents(n), 2), return_type=str), WithJsonSchema(TEXT_SCHEMA)
]
