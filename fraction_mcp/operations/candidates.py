"""What may have been meant by a name that is not one record: the candidates, and how each is told from the others.

Nothing here reads; `lookup` finds.
"""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.endpoints import Endpoint, RecordKind
from fraction_mcp.erp.paths import at_path
from fraction_mcp.erp.records import Record, id_key, shown_id
from fraction_mcp.operations.naming import name_of, without_punctuation
from fraction_mcp.operations.results import ResultPart
from fraction_mcp.values.text import clean, normalised, quoted

__all__ = ["CUSTOMER", "PART", "Candidate", "NotOne", "Status", "Subject", "candidates_of", "part_candidate"]

_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked up. `unique`: the ERP promises one record for the field that it is called by."""

    kind: RecordKind
    unique: bool

    @property
    def noun(self) -> str:
        return self.kind.noun

    @property
    def key(self) -> str:
        return self.kind.number_field

    @property
    def listing(self) -> Endpoint:
        return self.kind.list

    @property
    def single(self) -> Endpoint:
        return self.kind.single


PART = Subject(endpoints.KINDS["parts"], unique=True)
CUSTOMER = Subject(endpoints.KINDS["customers"], unique=False)


Status = Literal["found", "ambiguous", "not_found"]


class Candidate(ResultPart):
    """One record that may have been meant. `name` is a part's number or a customer's name."""

    argument: str
    id: int | str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class NotOne:
    status: Literal["ambiguous", "not_found"]
    subject: Subject
    said: str
    candidates: list[Candidate]
    complete: bool = True
    total: int | None = None  # how many come near in all, where that is known
    own: str = ""  # what is known of a customer's own number that reads so, as a sentence

    @property
    def summary(self) -> str:
        alike = [candidate.name for candidate in self.candidates if candidate.description.startswith(_ALIKE)]
        hint = f" {quoted(alike[0])} differs from it only in punctuation." if alike else ""
        return self._what_is_there + hint + self.own

    @property
    def _what_is_there(self) -> str:
        noun, reference = self.subject.noun, quoted(self.said)
        if self.status == "ambiguous":
            exact = [c for c in self.candidates if normalised(c.name) == normalised(self.said)]
            if len(exact) > 1:
                return f"{len(exact)} {noun}s are called {reference}; nothing was assumed."
            if exact and not self.complete:
                return (
                    f"One {noun} is called {reference}, but the list could not be read to its end; nothing was assumed."
                )
            if exact:
                key = self.subject.key.replace("_", " ")
                return f"{reference} is one {noun}'s {key} and another's id; nothing was assumed."
            none = f"No {noun} is called exactly {reference}"
            if not self.complete:
                none = f"No {noun} called exactly {reference} was found in the part of the list that was read"
            return f"{none}, and {self._near}; nothing was assumed."
        if not self.complete:
            return f"No {noun} called {reference} was found in the part of the list that was read."
        return f"No {noun} is called {reference}."

    @property
    def _near(self) -> str:
        shown = len(self.candidates)
        if self.total is None:
            return "several come near" if shown > 1 else "one comes near"
        more = f", of which {shown} are shown" if shown < self.total else ""
        return "one comes near" if self.total == 1 else f"{self.total} come near{more}"

    @property
    def next(self) -> str:
        if self.candidates:
            return f"Ask the user which {self.subject.noun} is meant, then call again with its id."
        return f"Check the spelling, or search_{self.subject.noun}s with a shorter text."

    def with_lists(self, customer_ids: Collection[int | str]) -> "NotOne":
        """The same, each customer's description saying whether it has a price list of the part that was asked for."""
        candidates = [
            candidate.model_copy(
                update={"description": _joined(candidate.description, _LISTED[id_key(candidate.id) in customer_ids])}
            )
            for candidate in self.candidates
        ]
        return replace(self, candidates=candidates)


def candidates_of(subject: Subject, reference: str, records: Sequence[Record], argument: str) -> list[Candidate]:
    """The records nearest to what was said, at most ten: one that differs only in punctuation first."""
    ranked = sorted(records, key=lambda record: -_likeness(record.get(subject.key), reference))[:_CANDIDATES]
    names = [name_of(record, subject.key) for record in ranked]
    return [
        Candidate(
            argument=argument or subject.noun,
            id=shown_id(record),
            name=name,
            description=_joined(
                _ALIKE if _differs_in_punctuation(name, reference) else "",
                _telling(record, ranked) or (_NOTHING_ELSE if names.count(name) > 1 else ""),
            ),
        )
        for record, name in zip(ranked, names, strict=True)
    ]


def part_candidate(record: Record, why: str) -> Candidate:
    """A part that may be meant for another reason than its number."""
    return Candidate(argument="part", id=shown_id(record), name=name_of(record, PART.key), description=why)


_LISTED = {True: "has a price list of the part", False: "no price list of the part"}


_ALIKE = "differs only in punctuation"
_NOTHING_ELSE = "nothing else tells them apart"
# What tells records of one name apart, in this order, where the ERP has it; no document states most of these fields.
_TELLING = (
    *("description", "revision", "material", "city", "town", "address.city", "address.town", "email", "phone", "code"),
    *("last_contract", "last_contract_date", "last_order_date", "category", "postcode", "created_at"),
)
_TOLD = 2


def _telling(record: Record, among: Sequence[Record]) -> str:
    """What of a record tells it from the others: the first of its fields in which they differ."""
    details = []
    for path in _TELLING:
        value = at_path(record, path)
        if isinstance(value, str) and value.strip() and (
            len(among) == 1 or any(at_path(other, path) != value for other in among)
        ):  # fmt: skip
            details.append(clean(value, 80))
    return _joined(*details[:_TOLD])


def _differs_in_punctuation(name: str, reference: str) -> bool:
    squeezed = without_punctuation(name)
    return bool(squeezed) and squeezed == without_punctuation(reference) and normalised(name) != normalised(reference)


def _joined(*words: str) -> str:
    return "; ".join(filter(None, words))


def _likeness(name: object, reference: str) -> float:
    left, right = normalised(name), normalised(reference)
    same = 2 * (without_punctuation(left) == without_punctuation(right))
    return difflib.SequenceMatcher(None, left, right).ratio() + left.startswith(right) + same
