"""Who is signed in where, and what is left of the rate limits."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from fraction_mcp.config import is_embedded
from fraction_mcp.erp import Erp, endpoints
from fraction_mcp.erp.endpoints import System
from fraction_mcp.erp.records import Identity
from fraction_mcp.errors import ErpBroken, ErpContractBroken, ErpError, ErpRejected, PlanRestricted
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.results import ResultPart, ToolResult
from fraction_mcp.values.text import clean, quoted

__all__ = ["ConnectionStatus", "connection_status"]

_ONE = {"start": 0, "limit": 1}
_PLANS_WITH_ACCESS = frozenset({"pro", "moulding"})  # `fractionerp-rest-api.txt`, PLAN_RESTRICTED


class SystemStatus(ResultPart):
    """One ERP. A figure that it has not stated is null; `problem` says why a sign-in did not work."""

    system: str
    configured: bool
    signed_in: bool
    base_url: str | None = None
    user: str | None = None
    company: str | None = None
    plan: str | None = None
    requests_remaining: int | None = None
    resets_at: str | None = None
    problem: str = ""


class ConnectionStatus(ToolResult):
    systems: tuple[SystemStatus, ...]
    confirm: str
    read_only: bool
    version: str


async def connection_status(context: ErpContext, system: str) -> ConnectionStatus:
    """Signs in where that has not happened yet: one request each. A failure is reported, not raised."""
    wanted = [erp_system for erp_system in System if system in {"all", erp_system}]
    systems = tuple([await _status(context, erp_system) for erp_system in wanted])
    embedded = any(is_embedded(status.base_url or "") for status in systems)
    remarks = [*(["SANDBOX:"] if embedded else []), *map(_sentence, systems)]
    if any(status.system == System.FRACTIONERP and status.configured for status in systems) and not context.currency:
        remarks.append(
            "No tool knows the code of its base currency: whoever runs this server can set it (FRACTION_CURRENCY)."
        )
    remarks += ["This server is read-only: nothing can be written."] if context.read_only else []
    return ConnectionStatus(
        summary=" ".join(remarks),
        systems=systems,
        confirm=context.confirm,
        read_only=context.read_only,
        version=context.version,
    )


async def _status(context: ErpContext, system: System) -> SystemStatus:
    erp = context.erps.get(system)
    if erp is None:
        return SystemStatus(system=system, configured=False, signed_in=False)
    user: Mapping[str, Any] | None = None
    company: Mapping[str, Any] | None = None
    problem, signed_in = "", False
    try:
        user, company = await _signed_in(erp)
        signed_in = True
        problem = await _what_it_refuses(erp, company)
    except ErpError as error:
        problem = _with_hint(error)
    known = erp.connection()
    user, company = user or known.user or {}, company or known.company or {}
    resets_at = known.budget.resets_at if known.budget else None
    return SystemStatus(
        system=system,
        configured=True,
        signed_in=known.signed_in and signed_in,
        base_url=known.base_url,
        user=_text(user, "email", "name"),
        company=_text(company, "company", "name"),
        plan=_text(company, "plan"),
        requests_remaining=known.budget.remaining if known.budget else None,
        resets_at=resets_at.astimezone(UTC).isoformat(timespec="seconds") if resets_at else None,
        problem=problem,
    )


async def _signed_in(erp: Erp) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """A request that proves the sign-in: FractionERP says who it is. Of Fracttal one warehouse is asked for; an account
    whose warehouses cannot be listed is signed in all the same where its purchase orders can be."""
    if erp.system is System.FRACTIONERP:
        identity = (await erp.call(endpoints.ME, fresh=True)).read(Identity)
        return identity.user, identity.tenant
    try:
        await erp.call(endpoints.WAREHOUSES, query=_ONE, fresh=True)
    except (ErpRejected, ErpBroken, ErpContractBroken) as failed:
        try:
            await erp.call(endpoints.WAREHOUSE_ORDERS, query=_ONE, fresh=True)
        except ErpError:
            raise failed from None
    return None, None


async def _what_it_refuses(erp: Erp, company: Mapping[str, Any] | None) -> str:
    """A sign-in proves no access to data: FractionERP is asked for one part. Empty where it can be read."""
    if erp.system is not System.FRACTIONERP:
        return ""
    try:
        await erp.call(endpoints.PARTS, query={"per_page": 1, "page": 1}, fresh=True)
    except PlanRestricted as error:
        plan = _text(company or {}, "plan") or ""
        if plan.casefold() not in _PLANS_WITH_ACCESS:
            return _with_hint(error)
        return (
            f"FractionERP itself refuses API access although it says that the plan is {quoted(plan)}: its support can "
            "mend that, and trying again does not help"
        )
    except ErpError as error:
        return _with_hint(error)
    return ""


def _with_hint(error: ErpError) -> str:
    """What is wrong, and who can mend it."""
    return f"{error.message}; {error.hint}".rstrip("; .")


def _text(source: Mapping[str, Any], *names: str) -> str | None:
    return next((clean(str(source[name])) for name in names if source.get(name)), None)


def _sentence(status: SystemStatus) -> str:
    name = System(status.system).label
    if not status.configured:
        return f"{name} is not configured."
    if status.problem and not status.signed_in:
        return f"{name} is configured, but not usable: {status.problem}."
    who = f" as {quoted(status.user)}" if status.user else ""
    left = f", with {status.requests_remaining} requests left" if status.requests_remaining is not None else ""
    refused = f", but its data cannot be read: {status.problem}" if status.problem else ""
    return f"{name} is signed in{who}{left}{refused}."
