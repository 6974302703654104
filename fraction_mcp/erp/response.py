"""What an ERP answered, without any I/O: the response, the answer that it means, and what cannot be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from fraction_mcp import errors
from fraction_mcp.erp.endpoints import Endpoint
from fraction_mcp.erp.records import Record
from fraction_mcp.values.text import clean

__all__ = ["ErpAnswer", "Page", "Response", "read_record", "unreadable"]


ModelT = TypeVar("ModelT", bound=BaseModel)


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
class ErpAnswer:
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


def unreadable(endpoint: Endpoint, why: str) -> errors.ErpContractBroken:
    """The error of an answer that was deciphered, and cannot be what its endpoint promises."""
    return _unreadable(endpoint, 200, why)


def _unreadable(endpoint: Endpoint, status: int, why: str, request_id: str = "") -> errors.ErpContractBroken:
    return errors.ErpContractBroken(
        f"{endpoint.system.label} answered with something that cannot be read (status {status}), asked to "
        f"{endpoint.name}: {why}",
        system=endpoint.system,
        operation=endpoint.name,
        status=status,
        request_id=request_id,
    )
