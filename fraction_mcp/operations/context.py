"""What every operation is given: the ERPs that are configured, and the few facts that answers need."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from fraction_mcp.erp import Erp
from fraction_mcp.erp.endpoints import System
from fraction_mcp.errors import NotConfigured
from fraction_mcp.operations.known_fields import KnownFields, Recalled
from fraction_mcp.operations.lookup import Lookup
from fraction_mcp.operations.own_numbers import OwnNumbers
from fraction_mcp.values.money import Money

__all__ = ["ErpContext"]


@dataclass(frozen=True, slots=True)
class ErpContext:
    """Passed to every tool. `currency` is the ISO 4217 code of FractionERP's base currency, empty where not known;
    `clock` tells unix seconds."""

    erps: dict[System, Erp]
    currency: str
    confirm: str
    read_only: bool
    version: str
    lookups: dict[System, Lookup]
    known: KnownFields = field(default_factory=KnownFields)
    described: Recalled = field(default_factory=Recalled)
    own_numbers: OwnNumbers = field(default_factory=OwnNumbers)
    clock: Callable[[], float] = time.time

    @classmethod
    def set_up(
        cls,
        *erps: Erp,
        currency: str,
        confirm: str,
        read_only: bool,
        version: str,
        clock: Callable[[], float] = time.time,
    ) -> "ErpContext":
        return cls(
            erps={erp.system: erp for erp in erps},
            currency=currency,
            confirm=confirm,
            read_only=read_only,
            version=version,
            lookups={erp.system: Lookup(erp) for erp in erps},
            clock=clock,
        )

    def erp(self, system: System) -> Erp:
        """Raises NotConfigured where this server has no credentials for it."""
        if system not in self.erps:
            raise NotConfigured(
                f"{system.label} is not configured on this server",
                hint="Its operator sets the credentials in the environment.",
            )
        return self.erps[system]

    @property
    def fraction(self) -> Erp:
        return self.erp(System.FRACTIONERP)

    @property
    def lookup(self) -> Lookup:
        _ = self.fraction
        return self.lookups[System.FRACTIONERP]

    def money(self, amount: Decimal) -> Money:
        """An amount in FractionERP's base currency, which is what its prices are in."""
        return Money(amount, self.currency)

    @property
    def in_currency(self) -> str:
        """What such an amount is in, as words: `in GBP`."""
        return f"in {self.currency or 'base currency'}"
