"""FractionERP's envelope and its error codes, as its document has them."""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from fraction_mcp.sandbox.http import Reply
from fraction_mcp.sandbox.jsontext import Json, decode

STATUS_OF: Final[dict[str, int]] = {
    "UNAUTHORIZED": 401,
    "INVALID_CREDENTIALS": 401,
    "FORBIDDEN": 403,
    "PLAN_RESTRICTED": 403,
    "ACCOUNT_INACTIVE": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,  # the one code that the document does not list
    "DUPLICATE": 409,
    "VALIDATION_ERROR": 422,
    "RATE_LIMIT_EXCEEDED": 429,
    "SERVER_ERROR": 500,
}


class Refusal(Exception):
    """A request that is answered with an error; `fields` are pairs of field and message."""

    def __init__(self, code: str, message: str, fields: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = tuple(fields)

    def reply(self) -> Reply:
        errors = [{"code": self.code, "message": message, "field": field} for field, message in self.fields]
        body = failure(errors or [{"code": self.code, "message": self.message}])
        if self.code == "DUPLICATE":
            # The document's sample of this one answer lacks the other two keys.
            body = {key: body[key] for key in ("success", "errors")}
        return Reply(STATUS_OF[self.code], body)


def invalid(*fields: tuple[str, str]) -> Refusal:
    return Refusal("VALIDATION_ERROR", "The given data was invalid.", fields)


def not_found() -> Refusal:
    return Refusal("NOT_FOUND", "Resource not found.")


def failure(errors: list[dict[str, str]]) -> dict[str, object]:
    return {"success": False, "data": None, "meta": None, "errors": errors}


def success(data: object, *, status: int = 200, pagination: object = None) -> Reply:
    meta = None if pagination is None else {"pagination": pagination}
    return Reply(status, {"success": True, "data": data, "meta": meta, "errors": None})


def json_object(body: bytes, *, is_json: bool) -> dict[str, Json]:
    if not is_json:
        raise Refusal("VALIDATION_ERROR", "The request body must be sent with Content-Type: application/json.")
    try:
        value = decode(body)
    except ValueError:
        raise Refusal("VALIDATION_ERROR", "The request body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise Refusal("VALIDATION_ERROR", "The request body must be a JSON object.")
    return value


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()
