"""A response as an answer, or the one error that it means. `decipher` is the only place that chooses an error.

Anything that is not the documented envelope is named, not shown.
"""

from collections.abc import Mapping
from typing import Any

from fraction_mcp import errors
from fraction_mcp.erp.endpoints import TOKEN, Endpoint, Paging
from fraction_mcp.erp.foreign import Unreadable, decoded
from fraction_mcp.erp.refusals import refusal
from fraction_mcp.erp.response import ErpAnswer, Page, Response, _unreadable

__all__ = ["decipher", "page_of"]


def decipher(endpoint: Endpoint, response: Response) -> ErpAnswer:
    """A response as an Answer, or the one error that it means.

    Raises ErpRejected (the ERP refused in its own envelope: a write did not happen), ErpBroken (5xx),
    ErpContractBroken (unreadable), and for a write ErpOutcomeUnknown in place of the last two.
    """
    try:
        return _deciphered(endpoint, response)
    except (errors.ErpBroken, errors.ErpContractBroken) as error:
        if not endpoint.writes:
            raise
        raise errors.ErpOutcomeUnknown(
            f"{error.message}; it may have been written",
            system=endpoint.system,
            operation=endpoint.name,
            status=response.status,
            request_id=error.request_id,
        ) from error


def _deciphered(endpoint: Endpoint, response: Response) -> ErpAnswer:
    status = response.status
    if status >= 500:
        raise errors.ErpBroken(
            f"{endpoint.system.label} failed with status {status} and could not {endpoint.name}",
            system=endpoint.system,
            operation=endpoint.name,
            status=status,
            request_id=response.request_id,
            hint=f"Try again in a moment; if it stays, {endpoint.system.label}'s support can mend it.",
        )
    envelope, flaw = (None, response.flaw) if response.flaw else _envelope(endpoint, response.content)
    if not 200 <= status < 300:
        raise refusal(endpoint, response, envelope, flaw)
    if envelope is None:
        raise _unreadable(endpoint, status, flaw, response.request_id)
    if endpoint is TOKEN:  # OAuth's answer has no envelope (RFC 6749, 5.1)
        return ErpAnswer(endpoint, status, envelope, None, response.at)
    if envelope.get("success", not endpoint.writes) is not True or "data" not in envelope:
        raise _unreadable(endpoint, status, "it is not the documented envelope of a success", response.request_id)
    if endpoint.writes and status not in endpoint.success:  # a 202, say, tells that it may be done later
        raise _unreadable(endpoint, status, "it is not the documented status of a success", response.request_id)
    page, size = page_of(endpoint, envelope, response.start), len(response.content)
    return ErpAnswer(endpoint, status, envelope["data"], page, response.at, size)


def _envelope(endpoint: Endpoint, content: bytes) -> tuple[dict[str, Any] | None, str]:
    """The JSON object of a body, or what is there instead."""
    text = content.strip()
    if not text:
        return None, "it is empty"
    if text[:1] == b"<":
        return None, "it is HTML or XML, as a proxy answers"
    try:
        value = decoded(text, long=endpoint.paging in {Paging.PAGE, Paging.START})
    except Unreadable as error:
        return None, str(error)
    return (value, "") if isinstance(value, dict) else (None, "it is JSON, but not an object")


# ------------------------------------------------------------------------------------------------------------- pages


def page_of(endpoint: Endpoint, envelope: Mapping[str, Any], start: int) -> Page | None:
    if endpoint.paging is Paging.NONE:
        return None
    if endpoint.paging is Paging.START:
        total, data = _count(envelope.get("total")), envelope["data"]
        returned = len(data) if isinstance(data, list) else 1 if data else 0
        return Page(
            total=total,
            first_row=start + 1 if returned else None,
            last_row=start + returned if returned else None,
            has_more=None if total is None else start + returned < total,
        )
    meta = envelope.get("meta")
    pagination = meta.get("pagination") if isinstance(meta, dict) else None
    pagination = pagination if isinstance(pagination, dict) else {}
    page = Page(
        total=_count(pagination.get("total")),
        per_page=_count(pagination.get("per_page")),
        current=_count(pagination.get("current_page")),
        last=_count(pagination.get("last_page")),
        first_row=_count(pagination.get("from")),
        last_row=_count(pagination.get("to")),
        has_more=_flag(pagination.get("has_more")),
    )
    return None if endpoint.paging is Paging.ALL and page == Page() else page


def _count(value: object) -> int | None:
    """A count in either spelling; anything else is not known."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        return int(value)
    return value if type(value) is int and 0 <= value < 10**15 else None


def _flag(value: object) -> bool | None:
    """A yes or no, as JSON or as 1 and 0; anything else is not known."""
    known = {"true": True, "1": True, "false": False, "0": False}
    return known.get(str(value).lower()) if isinstance(value, str | int) else None
