"""The two ERPs' protocol without any I/O: build a request, decipher a response into data or one error.

`decipher` is the only place that chooses an error. It never puts a body into a message: what an ERP itself said is
quoted, cleaned and cut, and anything that is not the documented envelope is named, not shown. Rules stand beside the
document they come from; `FractionERP` is `fractionerp-rest-api.txt`, `Fracttal` its public pages.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError

from fraction_mcp import errors
from fraction_mcp.erp.budget import Budget, budget, number_in
from fraction_mcp.erp.endpoints import TOKEN, Endpoint, Paging, System
from fraction_mcp.erp.foreign import Unreadable, decoded
from fraction_mcp.erp.records import Record
from fraction_mcp.shapes import clean, plain, quoted

__all__ = [
    "Answer",
    "Budget",
    "Page",
    "Request",
    "Response",
    "budget",
    "build",
    "decipher",
    "encode",
    "read_record",
    "unreadable",
]

ModelT = TypeVar("ModelT", bound=BaseModel)


# ---------------------------------------------------------------------------------------------------------- requests


@dataclass(frozen=True, slots=True)
class Request:
    """What goes out, but for the base URL and the token. `target` is path and query, percent-encoded."""

    method: str
    target: str
    content: bytes | None = field(repr=False)


def build(
    endpoint: Endpoint,
    path: Mapping[str, str | int] | None = None,
    query: Mapping[str, str | int] | None = None,
    body: object = None,
) -> Request:
    """Fill an endpoint in; a body of bytes is taken as it is, anything else is encoded.

    Every character of a path value that could change the path is percent-encoded.
    """
    values = {name: _segment(name, str(value)) for name, value in (path or {}).items()}
    target = endpoint.path.format_map(values)
    if query:
        target += "?" + urlencode(query, quote_via=quote, safe="")
    content = body if body is None or isinstance(body, bytes) else encode(body).encode()
    return Request(endpoint.method, target, content)


def _segment(name: str, value: str) -> str:
    if value.strip(".") == "":  # nothing, "." and "..": no encoding keeps these from being read as steps in the path
        raise errors.InputError({name: "must not be empty or made of dots"})
    return quote(value, safe="")


def encode(value: object) -> str:
    """Canonical JSON: keys sorted, no spaces, decimals as plain number literals, never through a float."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(k)}:{encode(v)}" for k, v in sorted(value.items())) + "}"
        case list() | tuple():
            return "[" + ",".join(map(encode, value)) + "]"
        case Decimal() if value.is_finite():
            return plain(value)
        case float():
            raise TypeError("a float is not exact: send a Decimal")
        case _:
            return json.dumps(value, ensure_ascii=False)


# --------------------------------------------------------------------------------------------------------- responses


@dataclass(frozen=True, slots=True)
class Page:
    """Where a list's page stands, as the ERP states it. A figure that it did not state is None."""

    total: int | None = None
    per_page: int | None = None
    current: int | None = None
    last: int | None = None
    first_row: int | None = None
    last_row: int | None = None
    has_more: bool | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A deciphered success: its `data`, the page it is, when the ERP was asked for it, and how many bytes it was."""

    endpoint: Endpoint
    status: int
    data: Any = field(repr=False)
    page: Page | None
    read_at: datetime
    size: int = 0

    def records(self) -> list[Record]:
        """The rows of a list. One object stands for a list of one (Fracttal: `data` is a list or one object)."""
        rows = [self.data] if isinstance(self.data, dict) else self.data
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self._unreadable("its data is not a list of records")
        return rows

    def record(self) -> Record:
        """The single record asked for."""
        data = self.data[0] if isinstance(self.data, list) and len(self.data) == 1 else self.data
        if not isinstance(data, dict):
            self._unreadable("its data is not one record")
        return data

    def read(self, model: type[ModelT], record: Record | None = None) -> ModelT:
        """The record (or one of the records) as a typed one."""
        return read_record(self.endpoint, model, self.record() if record is None else record, self.status)

    def read_all(self, model: type[ModelT]) -> list[ModelT]:
        return [self.read(model, record) for record in self.records()]

    def _unreadable(self, why: str) -> NoReturn:
        raise _unreadable(self.endpoint, self.status, why)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, and when it was asked for: what it shows is no newer. Header names are lower-case. `start` is the
    0-based row that a Fracttal page was asked from, since its answer does not say. `flaw` says why there is no content
    to be had."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    at: datetime
    start: int = 0
    flaw: str = ""

    @property
    def request_id(self) -> str:
        return clean(self.headers.get("x-request-id", ""), 80)


def read_record(endpoint: Endpoint, model: type[ModelT], record: Record, status: int = 200) -> ModelT:
    """A record that an endpoint sent as a typed one. Raises ErpContractBroken, naming the field, never its value."""
    try:
        return model.model_validate(record)
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
        raise _unreadable(endpoint, status, f"the field {where} is missing or of another type") from None


def unreadable(endpoint: Endpoint, why: str, status: int = 200) -> errors.ErpContractBroken:
    """The error of an answer that was deciphered, and cannot be what its endpoint promises."""
    return _unreadable(endpoint, status, why)


def decipher(endpoint: Endpoint, response: Response) -> Answer:
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


def _deciphered(endpoint: Endpoint, response: Response) -> Answer:
    status = response.status
    if status >= 500:
        raise errors.ErpBroken(
            f"{endpoint.system.label} failed with status {status} and could not {endpoint.name}",
            system=endpoint.system,
            operation=endpoint.name,
            status=status,
            request_id=response.request_id,
            hint="Try again in a moment.",
        )
    envelope, flaw = (None, response.flaw) if response.flaw else _envelope(endpoint, response.content)
    if not 200 <= status < 300:
        raise _refusal(endpoint, response, envelope, flaw)
    if envelope is None:
        raise _unreadable(endpoint, status, flaw, response.request_id)
    if endpoint is TOKEN:  # OAuth's answer has no envelope (RFC 6749, 5.1)
        return Answer(endpoint, status, envelope, None, response.at)
    if envelope.get("success", not endpoint.writes) is not True or "data" not in envelope:
        raise _unreadable(endpoint, status, "it is not the documented envelope of a success", response.request_id)
    if endpoint.writes and status not in endpoint.success:  # a 202, say, tells that it may be done later
        raise _unreadable(endpoint, status, "it is not the documented status of a success", response.request_id)
    page, size = _page(endpoint, envelope, response.start), len(response.content)
    return Answer(endpoint, status, envelope["data"], page, response.at, size)


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


def _unreadable(endpoint: Endpoint, status: int, why: str, request_id: str = "") -> errors.ErpContractBroken:
    return errors.ErpContractBroken(
        f"{endpoint.system.label} answered with something that cannot be read (status {status}), asked to "
        f"{endpoint.name}: {why}",
        system=endpoint.system,
        operation=endpoint.name,
        status=status,
        request_id=request_id,
        hint="If this stays, the base URL or a proxy in front of the ERP is the place to look.",
    )


# ---------------------------------------------------------------------------------------------------------- refusals

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
_HINTS: Mapping[type[errors.ErpRejected], str] = {
    errors.NotAuthenticated: "Check the credentials of the account in the server's settings.",
    errors.Forbidden: "The account of this server lacks the right; its administrator can grant it.",
    errors.PlanRestricted: "API access needs FractionERP's Pro or Moulding plan.",
    errors.AccountInactive: "The company's FractionERP account is inactive; its administrator can reactivate it.",
}


def _refusal(endpoint: Endpoint, response: Response, envelope: dict[str, Any] | None, flaw: str) -> errors.ErpError:
    """A status of 3xx or 4xx as an error: by the ERP's own code where it has one, else by the status."""
    status = response.status
    codes, told = _complaints(envelope)
    believed = _proves_refusal if endpoint.writes else _tells_refusal
    if not believed(endpoint.system, status, envelope, codes, told):
        flaw = flaw or "it is not the documented envelope of an error"
        return _unreadable(endpoint, status, flaw, response.request_id)
    if status == 429 or (status == 406 and endpoint.system is System.FRACTTAL):
        return _rate_limited(endpoint, response)
    kind = next((_BY_CODE[code] for code in codes if code in _BY_CODE), _BY_STATUS.get(status, errors.ErpRejected))
    if endpoint is TOKEN and status == 400:  # OAuth answers wrong credentials with 400 or 401 (RFC 6749, 5.2)
        kind = errors.NotAuthenticated
    hint = ""
    if endpoint.system is System.FRACTTAL:
        kind, hint = _fracttal_meaning(status, told, kind)
    return kind(
        f"{endpoint.system.label} refused to {endpoint.name}: {told or 'it gave no reason'}",
        system=endpoint.system,
        operation=endpoint.name,
        status=status,
        request_id=response.request_id,
        hint=hint or _HINTS.get(kind, ""),
    )


def _proves_refusal(
    system: System, status: int, envelope: dict[str, Any] | None, codes: Sequence[str], told: str
) -> bool:
    """Whether an answer to a write proves that it was not done: the ERP's own envelope, a documented refusal in it.

    A proxy refuses in words of its own, and may do so after the write has passed it.
    """
    if system is System.FRACTIONERP:
        return any(code in _REFUSALS.get(status, ()) for code in codes)
    own = envelope is not None and envelope.get("success") is False and bool(told)
    return own and status in _FRACTTAL_REFUSALS


def _tells_refusal(
    system: System, status: int, _envelope: dict[str, Any] | None, _codes: Sequence[str], told: str
) -> bool:
    """The same for a read, which loses nothing by believing a bare status: it may sign in again, or wait."""
    bare = {401, 429} if system is System.FRACTIONERP else {401, 406, 429}
    return status >= 400 and (bool(told) or status in bare)


def _fracttal_meaning(status: int, told: str, kind: type[errors.ErpRejected]) -> tuple[type[errors.ErpRejected], str]:
    """Fracttal's own statuses (public pages): 407 is a clock, 408 is a duplicate and never a time-out."""
    if status == 407:
        return errors.ErpRejected, "Fracttal says that the timestamp is out of range: check this machine's clock."
    if status == 408:
        return errors.Duplicate, "Fracttal says that the item already exists."
    if status == 401 and "UNAUTHORIZED_ENDPOINT" in told:
        return errors.Forbidden, "This module is not enabled for the account in Fracttal; a new sign-in does not help."
    return kind, ""


def _complaints(envelope: dict[str, Any] | None) -> tuple[list[str], str]:
    """The codes and the words of an error envelope: FractionERP's `errors`, Fracttal's `message`, OAuth's `error`."""
    if envelope is None or envelope.get("success") is True:
        return [], ""
    sent = envelope.get("errors")
    found = [item for item in sent if isinstance(item, dict)] if isinstance(sent, list) else []
    codes = [code for item in found if isinstance(code := item.get("code"), str)]
    words = "; ".join(filter(None, (_complaint(item) for item in found[:5])))
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
    told = f"; it takes requests again in {wait:.0f} seconds" if wait is not None else ""
    return errors.RateLimited(
        f"{endpoint.system.label} takes no more requests for now and did not {endpoint.name}{told}",
        retry_after_s=wait,
        system=endpoint.system,
        operation=endpoint.name,
        status=response.status,
        hint=f"Wait {wait:.0f} seconds, then ask again." if wait is not None else "Wait a while, then ask again.",
    )


# ------------------------------------------------------------------------------------------------------------- pages


def _page(endpoint: Endpoint, envelope: Mapping[str, Any], start: int) -> Page | None:
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
    told = meta.get("pagination") if isinstance(meta, dict) else None
    told = told if isinstance(told, dict) else {}
    page = Page(
        total=_count(told.get("total")),
        per_page=_count(told.get("per_page")),
        current=_count(told.get("current_page")),
        last=_count(told.get("last_page")),
        first_row=_count(told.get("from")),
        last_row=_count(told.get("to")),
        has_more=_flag(told.get("has_more")),
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
