"""Which error a refusal of an ERP is: one table of codes and statuses a system.

Rules stand beside the document they come from; `FractionERP` is `fractionerp-rest-api.txt`, `Fracttal` its public
pages. What an ERP itself said is quoted, cleaned and cut; a body is never put into a message.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fraction_mcp import errors
from fraction_mcp.erp.budget import budget, number_in
from fraction_mcp.erp.endpoints import TOKEN, Endpoint, System
from fraction_mcp.erp.response import Response, _unreadable
from fraction_mcp.values.text import clean, quoted

__all__ = ["refusal"]


_BY_CODE: Mapping[str, type[errors.ErpRejected]] = {
    "UNAUTHORIZED": errors.NotAuthenticated,
    "INVALID_CREDENTIALS": errors.NotAuthenticated,
    "FORBIDDEN": errors.Forbidden,
    "PLAN_RESTRICTED": errors.PlanRestricted,
    "ACCOUNT_INACTIVE": errors.AccountInactive,
    "NOT_FOUND": errors.NotFound,
    "DUPLICATE": errors.Duplicate,
    "VALIDATION_ERROR": errors.InvalidFields,
}
# What a refusal of a write may be: FractionERP's table of errors, Fracttal's statuses (public pages). No other status
# or code is known to mean that nothing was written.
_REFUSALS: Mapping[int, tuple[str, ...]] = {
    401: ("UNAUTHORIZED", "INVALID_CREDENTIALS"),
    403: ("FORBIDDEN", "PLAN_RESTRICTED", "ACCOUNT_INACTIVE"),
    404: ("NOT_FOUND",),
    409: ("DUPLICATE",),
    422: ("VALIDATION_ERROR",),
    429: ("RATE_LIMIT_EXCEEDED",),
}
_FRACTTAL_REFUSALS = frozenset({400, 401, 403, 404, 405, 406, 407, 408})
_BY_STATUS: Mapping[int, type[errors.ErpRejected]] = {
    400: errors.InvalidFields,
    401: errors.NotAuthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Duplicate,
    422: errors.InvalidFields,
}
# What Fracttal's statuses ask for in a write that it refuses.
_ORDER_HINTS: Mapping[int, str] = {
    400: "Ask the user for what it names as it stands in Fracttal, then call again: the same again is refused again.",
    404: "Ask the user for the warehouse's code as it stands in Fracttal, then call again.",
    405: "Whoever manages Fracttal can say whether its API takes orders; the same again is refused again.",
}


def refusal(endpoint: Endpoint, response: Response, envelope: dict[str, Any] | None, flaw: str) -> errors.ErpError:
    """A status of 3xx or 4xx as an error: by the ERP's own code where it has one, else by the status."""
    status = response.status
    codes, reason = _complaints(envelope)
    believed = _proves_refusal if endpoint.writes else _tells_refusal
    if not believed(endpoint.system, status, envelope, codes, reason):
        flaw = flaw or "it is not the documented envelope of an error"
        return _unreadable(endpoint, status, flaw, response.request_id)
    if status == 429 or (status == 406 and endpoint.system is System.FRACTTAL):
        return _rate_limited(endpoint, response)
    kind = next((_BY_CODE[code] for code in codes if code in _BY_CODE), _BY_STATUS.get(status, errors.ErpRejected))
    if endpoint is TOKEN and status == 400:  # OAuth answers wrong credentials with 400 or 401 (RFC 6749, 5.2)
        kind = errors.NotAuthenticated
    hint = ""
    if endpoint.system is System.FRACTTAL:
        kind, hint = _fracttal_meaning(status, reason, kind)
        hint = hint or (_ORDER_HINTS.get(status, "") if endpoint.writes else "")
        reason = _in_words(reason)
    return kind(
        f"{endpoint.system.label} refused to {endpoint.name}: {reason or 'it gave no reason'}",
        system=endpoint.system,
        operation=endpoint.name,
        status=status,
        request_id=response.request_id,
        hint=hint,
    )


def _proves_refusal(
    system: System, status: int, envelope: dict[str, Any] | None, codes: Sequence[str], reason: str
) -> bool:
    """Whether an answer to a write proves that it was not done: the ERP's own envelope, a documented refusal in it.

    A proxy refuses in words of its own, and may do so after the write has passed it.
    """
    if system is System.FRACTIONERP:
        return any(code in _REFUSALS.get(status, ()) for code in codes)
    own = envelope is not None and envelope.get("success") is False and bool(reason)
    return own and status in _FRACTTAL_REFUSALS


def _tells_refusal(
    system: System, status: int, _envelope: dict[str, Any] | None, _codes: Sequence[str], reason: str
) -> bool:
    """The same for a read, which loses nothing by believing a bare status: it may sign in again, or wait."""
    bare = {401, 429} if system is System.FRACTIONERP else {401, 406, 429}
    return status >= 400 and (bool(reason) or status in bare)


def _fracttal_meaning(status: int, reason: str, kind: type[errors.ErpRejected]) -> tuple[type[errors.ErpRejected], str]:
    """Fracttal's own statuses (public pages): 407 is a clock, 408 is a duplicate and never a time-out."""
    if status == 407:
        return errors.ErpRejected, (
            "Fracttal finds the time of the request out of range: whoever runs this server sets its machine's clock "
            "right; trying again before does not help."
        )
    if status == 408:
        return errors.Duplicate, (
            "Fracttal says that the item already exists: look at it with list_fracttal_purchase_orders. The same again "
            "is refused again."
        )
    if status == 401 and "UNAUTHORIZED_ENDPOINT" in reason:
        return errors.Forbidden, (
            "This module is not enabled for the account in Fracttal: whoever manages Fracttal can enable it; a new "
            "sign-in does not help."
        )
    return kind, ""


def _in_words(reason: str) -> str:
    """`'WAREHOUSE_NOT_FOUND'`, as Fracttal puts it, in plain words with its own behind; a sentence stays one."""
    code = re.fullmatch(r"'([A-Z]+(?:_[A-Z]+)+)'", reason)
    return f"{code[1].replace('_', ' ').lower()} ({reason})" if code else reason


def _complaints(envelope: dict[str, Any] | None) -> tuple[list[str], str]:
    """The codes and the words of an error envelope: FractionERP's `errors`, Fracttal's `message`, OAuth's `error`."""
    if envelope is None or envelope.get("success") is True:
        return [], ""
    sent = envelope.get("errors")
    complaints = [item for item in sent if isinstance(item, dict)] if isinstance(sent, list) else []
    codes = [code for item in complaints if isinstance(code := item.get("code"), str)]
    words = "; ".join(filter(None, (_complaint(item) for item in complaints[:5])))
    for key in ("message", "error"):
        if not words and isinstance(envelope.get(key), str):
            words = quoted(envelope[key], 200)
    return codes, words


def _complaint(item: dict[str, Any]) -> str:
    """One entry of `errors`. Where it names a field is not documented: `field`, `source`, `path` or not at all."""
    field = next((name for key in ("field", "source", "path") if (name := _field_name(item.get(key)))), "")
    words = quoted(str(item.get("message") or item.get("code") or ""), 200)
    return f"{clean(field, 60)}: {words}" if field else words if words != "''" else ""


def _field_name(value: object) -> str:
    """A field in any of the usual spellings: a name, a list of steps, or JSON:API's `{"pointer": "/data/name"}`."""
    if isinstance(value, dict):
        value = value.get("pointer")
    if isinstance(value, list):
        return ".".join(str(step) for step in value if isinstance(step, str | int))
    return str(value) if isinstance(value, str | int) else ""


# ------------------------------------------------------------------------------------------------------- rate limits


def _rate_limited(endpoint: Endpoint, response: Response) -> errors.RateLimited:
    wait: float | None = number_in(response.headers, "retry-after")
    known = budget(endpoint.system, response.headers, response.at)
    if wait is None and known and known.resets_at:
        wait = max(0.0, (known.resets_at - response.at).total_seconds())
    when = f"; it takes requests again in {wait:.0f} seconds" if wait is not None else ""
    return errors.RateLimited(
        f"{endpoint.system.label} takes no more requests for now and did not {endpoint.name}{when}",
        retry_after_s=wait,
        system=endpoint.system,
        operation=endpoint.name,
        status=response.status,
        hint=f"Wait {wait:.0f} seconds, then ask again." if wait is not None else "Wait a while, then ask again.",
    )
