"""Every tool, in the order in which they are listed: by these modules, and in each by declaration."""

from collections.abc import Mapping
from functools import cache

from fraction_mcp.config import Settings
from fraction_mcp.erp.endpoints import System
from fraction_mcp.tools import (
    batch,
    connection,
    customers,
    enquiries,
    parts,
    prices,
    records,
    warehouse_orders,
    write_status,
)
from fraction_mcp.tools.spec import Effect, ToolSpec, registry

__all__ = ["catalogue", "offered", "switched_off"]

_ORDER = (parts, prices, customers, records, connection, enquiries, warehouse_orders, batch, write_status)


@cache
def catalogue() -> Mapping[str, ToolSpec]:
    """Every tool there is, by its name."""
    declared = registry()
    return {
        name: spec for module in _ORDER for name, spec in declared.items() if spec.run.__module__ == module.__name__
    }


def offered(settings: Settings) -> dict[str, ToolSpec]:
    """The tools of the ERPs that are configured; without those that write where the server is read-only."""
    configured = {
        system
        for system, there in (
            (System.FRACTIONERP, settings.fraction_configured),
            (System.FRACTTAL, settings.fracttal_configured),
        )
        if there
    }
    hidden: set[Effect] = set()
    if settings.read_only:
        hidden |= {Effect.CREATE, Effect.REPLACE, Effect.BATCH, Effect.CONFIRM}
    if settings.confirm != "two_step":
        hidden.add(Effect.CONFIRM)
    return {
        name: spec for name, spec in catalogue().items() if spec.systems <= configured and spec.effect not in hidden
    }


def switched_off(settings: Settings) -> dict[str, ToolSpec]:
    """The tools that are not offered because the server is read-only: whoever knows their names is told so."""
    return {name: spec for name, spec in catalogue().items() if settings.read_only and not spec.effect.reads}
