"""Reading a JSON object that somebody sent, field by field.

Knows how to say of every field at once what is wrong with it. Refuses to know what the fields are for.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from .jsontext import Json

_MAX_ID = 2**53


@dataclass(slots=True)
class Fields:
    """Each reader returns a usable value whatever it finds; `errors` says whether the values mean anything."""

    data: Mapping[str, Json]
    prefix: str = ""
    errors: list[tuple[str, str]] = field(default_factory=list)

    def fail(self, name: str, message: str) -> None:
        self.errors.append((self.prefix + name, message))

    def has(self, name: str) -> bool:
        return name in self.data

    def needed_text(self, name: str, *, limit: int = 255) -> str:
        value = self.text(name, limit=limit)
        if value is None and not self._failed(name):
            self.fail(name, f"The {name} field is required.")
        return value or ""

    def needed_identifier(self, name: str) -> int:
        value = self.identifier(name)
        if value is None and not self._failed(name):
            self.fail(name, f"The {name} field is required.")
        return value or 0

    def _failed(self, name: str) -> bool:
        return any(field == self.prefix + name for field, _ in self.errors)

    def text(self, name: str, *, limit: int = 255) -> str | None:
        """Surrounding space is dropped and an empty text is none at all, as web frameworks do."""
        value = self.data.get(name)
        if value is not None and not isinstance(value, str):
            self.fail(name, f"The {name} field must be a string.")
            return None
        stripped = (value or "").strip() or None
        if stripped is not None and len(stripped) > limit:
            self.fail(name, f"The {name} field must not be greater than {limit} characters.")
        return stripped

    def identifier(self, name: str) -> int | None:
        value = self.data.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MAX_ID:
            self.fail(name, f"The {name} field must be an integer.")
            return None
        return value

    def number(self, name: str, *, required: bool = False, positive: bool = False, places: int = 5) -> Decimal | None:
        """A number, or a text that spells one; never negative."""
        value = self.data.get(name)
        if value is None:
            if required:
                self.fail(name, f"The {name} field is required.")
            return None
        number = _decimal(value)
        if number is None:
            self.fail(name, f"The {name} field must be a number.")
        elif number < 0 or (positive and number == 0):
            self.fail(name, f"The {name} field must be {'greater than' if positive else 'at least'} 0.")
        elif number >= 10**12 or number != round(number, places):
            self.fail(name, f"The {name} field must have at most 12 digits and {places} decimal places.")
        return number

    def date(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None and not is_date(value):
            self.fail(name, f"The {name} field must be a date in the format YYYY-MM-DD.")
        return value


def _decimal(value: Json) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        return None
    # Exponents are legal JSON, but a number of a million digits is not a price.
    return number if number.is_finite() and -50 < number.adjusted() < 50 else None


def is_date(value: str) -> bool:
    try:
        return len(value) == 10 and bool(dt.date.fromisoformat(value))
    except ValueError:
        return False
