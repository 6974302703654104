"""A name or number -> one record, or the candidates. Never a guess that is not called one.

An exact match wins (case and surrounding space aside). The ERP's `search` finds anything that contains the text, in an
order of its own, so `BRKT-1` may stand behind a hundred of `BRKT-1000…`. Asked to sort by the number itself, it puts
the match where it can be reached in a few pages whatever their count. No document says by which fields a list sorts, so
that it does is checked: once by asking the other way round, since a page may be in order by chance, and on every page.
All pages are read where it does not. Where the list ends is `erp.pages`'s to say; what was just read is the memory's.
"""

import difflib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fraction_mcp.erp import Erp, endpoints
from fraction_mcp.erp.endpoints import Endpoint, RecordKind
from fraction_mcp.erp.pages import Pages
from fraction_mcp.erp.records import Record, id_key, shown_id
from fraction_mcp.erp.response import ErpAnswer, unreadable
from fraction_mcp.errors import InvalidFields, NotFound
from fraction_mcp.operations.results import ResultPart
from fraction_mcp.values.text import clean, normalised, quoted

__all__ = ["CUSTOMER", "PART", "Candidate", "Found", "Lookup", "NotOne", "Status", "Subject"]

_PAGE = 100  # FractionERP's most a page
_MOST_PAGES = 50  # unsorted pages read for one name before giving up
_CANDIDATES = 10
_ID_DIGITS = 18  # what any database counts in


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
class Found:
    """The one record, which has an id. `how` says by what; a near match must be named as such to the reader.

    `alone` is whether another record of the same name could not have gone unseen.
    """

    record: Record
    how: Literal["exact", "id", "near"]
    said: str
    alone: bool = True

    def remark(self, subject: Subject) -> str:
        """What the summary owes its reader about the match; empty for a plain exact one."""
        if not self.alone:
            return f"The list could not be read to its end: another {subject.noun} may be called {quoted(self.said)}. "
        if self.how == "near":
            name = quoted(str(self.record.get(subject.key)))
            return f"{name} is the only {subject.noun} like {quoted(self.said)}. "
        if self.how == "exact" and self.said.isdigit():
            return f"{self.said} was taken as the {subject.key.replace('_', ' ')}, not as an id. "
        return ""


@dataclass(frozen=True, slots=True)
class NotOne:
    status: Literal["ambiguous", "not_found"]
    subject: Subject
    said: str
    candidates: list[Candidate]
    complete: bool = True

    @property
    def summary(self) -> str:
        noun, said = self.subject.noun, quoted(self.said)
        if self.status == "ambiguous":
            exact = [c for c in self.candidates if normalised(c.name) == normalised(self.said)]
            if len(exact) > 1:
                return f"{len(exact)} {noun}s are called {said}; nothing was assumed."
            if exact and not self.complete:
                return f"One {noun} is called {said}, but the list could not be read to its end; nothing was assumed."
            if exact:
                key = self.subject.key.replace("_", " ")
                return f"{said} is one {noun}'s {key} and another's id; nothing was assumed."
            several = "several come" if len(self.candidates) > 1 else "one comes"
            none = f"No {noun} is called exactly {said}"
            if not self.complete:
                none = f"No {noun} called exactly {said} was found in the part of the list that was read"
            return f"{none}, and {several} near; nothing was assumed."
        if not self.complete:
            return f"No {noun} called {said} was found in the part of the list that was read."
        return f"No {noun} is called {said}."

    @property
    def next(self) -> str:
        if self.candidates:
            return f"Ask the user which {self.subject.noun} is meant, then call again with its id."
        return f"Check the spelling, or search_{self.subject.noun}s with a shorter text."

    def with_lists(self, customer_ids: Collection[int | str]) -> "NotOne":
        """The same, each customer's description saying whether it has a price list of the part that was asked for."""
        told = [
            one.model_copy(update={"description": _joined(one.description, _LISTED[id_key(one.id) in customer_ids])})
            for one in self.candidates
        ]
        return replace(self, candidates=told)


class Lookup:
    """Finds parts and customers in FractionERP. A part that the ERP's memory of reads holds costs no search."""

    def __init__(self, erp: Erp) -> None:
        self._erp = erp
        self._unsortable: set[str] = set()
        self._sorts: dict[str, bool] = {}

    async def find(self, subject: Subject, said: str, *, strict: bool = False, argument: str = "") -> Found | NotOne:
        """One record for a name, number or id.

        `strict` is for writes: no near match, nothing from memory, a number that is both a key and another record's id
        is ambiguous, and so is a name where another record of it may have gone unseen. Raises ErpContractBroken for a
        record without an id.
        """
        said = clean(said, 200)
        if not strict and subject is PART and (seen := self._erp.seen(subject.listing, subject.key, said)):
            return self._found(subject, seen, "exact", said)
        scan = await _Scan(self, subject, said, fresh=strict).run()
        exact = _closest_spelling(scan.exact, subject, said)
        by_id = None
        if said.isascii() and said.isdigit() and len(said) <= _ID_DIGITS and (strict or not exact):
            by_id = await self._by_id(subject, said, fresh=strict)
        if strict and by_id and exact and any(id_key(one.get("id")) != id_key(by_id["id"]) for one in exact):
            exact = [*exact, by_id]
        alone = scan.complete or subject.unique
        if len(exact) == 1 and (alone or not strict):
            return self._found(subject, exact[0], "exact", said, alone=alone)
        if exact:
            return self._not_one("ambiguous", subject, said, exact, argument, complete=alone)
        if by_id:
            return self._found(subject, by_id, "id", said)
        near = scan.near
        if len(near) == 1 and scan.whole and not strict:
            return self._found(subject, near[0], "near", said)
        if near:
            return self._not_one("ambiguous", subject, said, near, argument, complete=scan.complete)
        loose = await self._similar(subject, said)
        return self._not_one("not_found", subject, said, loose, argument, complete=scan.complete)

    def _found(
        self, subject: Subject, record: Record, how: Literal["exact", "id", "near"], said: str, *, alone: bool = True
    ) -> Found:
        if id_key(record.get("id")) is None:
            raise unreadable(subject.listing, f"a {subject.noun} in it has no id")
        return Found({**record, "id": shown_id(record)}, how, said, alone)

    async def _by_id(self, subject: Subject, said: str, *, fresh: bool) -> Record | None:
        try:
            record = (await self._erp.call(subject.single, path={"id": int(said)}, fresh=fresh)).record()
        except NotFound:
            return None
        if id_key(record.get("id")) != int(said):
            raise unreadable(subject.single, "it is not the record of that id")
        return record

    async def search(self, subject: Subject, text: str, page: int, *, fresh: bool = False) -> ErpAnswer:
        """A page of what contains the text, sorted by the subject's own field where the ERP sorts by it."""
        query: dict[str, str | int] = {"search": text, "per_page": _PAGE, "page": page}
        if subject.noun not in self._unsortable:
            try:
                query_sorted = {**query, "sort": subject.key, "order": "asc"}
                return await self._erp.call(subject.listing, query=query_sorted, fresh=fresh)
            except InvalidFields:
                self._unsortable.add(subject.noun)
        return await self._erp.call(subject.listing, query=query, fresh=fresh)

    async def sorts(self, subject: Subject, text: str, lowest: Sequence[str], order: Callable[[str], str]) -> bool:
        """Whether the ERP sorts by the subject's own field; `lowest` is a first page that looks sorted, its keys.

        It may look so by chance, as where ids were given in the order of the numbers. Asked for the highest, an ERP
        that sorts shows one that is not below that page. Asked once.
        """
        if subject.noun in self._unsortable or order(lowest[0]) == order(lowest[-1]):
            return False
        if subject.noun not in self._sorts:
            query: dict[str, str | int] = {"search": text, "per_page": 1, "sort": subject.key, "order": "desc"}
            highest = (await self._erp.call(subject.listing, query=query)).records()[:1]
            self._sorts[subject.noun] = any(
                order(str(row.get(subject.key) or "")) >= order(lowest[-1]) for row in highest
            )
        return self._sorts[subject.noun]

    async def alike(self, subject: Subject, said: str) -> list[Record]:
        """Records whose key is the same but for case and spaces, as far as the ERP's search shows them; read anew."""
        words = dict.fromkeys(filter(None, (said, *(match[0] for match in [_first_word(said)] if match))))
        found: dict[object, Record] = {}
        for word in words:
            for record in (await self.search(subject, word, 1, fresh=True)).records():
                if _squeezed(record.get(subject.key) or "") == _squeezed(said):
                    found[id_key(record.get("id"))] = record
        return list(found.values())

    async def _similar(self, subject: Subject, said: str) -> list[Record]:
        """Records that share the first word of what was said: candidates for a misspelt name."""
        word = _first_word(said)
        if word is None or word[0] == said:
            return []
        return (await self.search(subject, word[0], 1)).records()

    def _not_one(
        self,
        status: Literal["ambiguous", "not_found"],
        subject: Subject,
        said: str,
        records: Sequence[Record],
        argument: str,
        *,
        complete: bool = True,
    ) -> NotOne:
        ranked = sorted(records, key=lambda record: -_likeness(record.get(subject.key), said))[:_CANDIDATES]
        candidates = [
            Candidate(
                argument=argument or subject.noun,
                id=shown_id(record),
                name=clean(str(record.get(subject.key) or "")),
                description=clean(str(record.get("description") or record.get("city") or ""), 80),
            )
            for record in ranked
        ]
        return NotOne(status, subject, said, candidates, complete)


class _Scan:
    """Looks for an exact match through the pages of a search, in as few requests as their order allows."""

    def __init__(self, lookup: Lookup, subject: Subject, said: str, *, fresh: bool) -> None:
        self._lookup = lookup
        self._fresh = fresh
        self._subject = subject
        self._said = said
        self._wanted = normalised(said)
        self._answers: dict[int, ErpAnswer] = {}
        self.exact: list[Record] = []
        self.near: list[Record] = []
        self.whole = True  # everything that contains the text has been seen
        self.complete = True  # an exact match would have been seen

    async def run(self) -> "_Scan":
        pages = Pages(_PAGE)
        rows = await self._read(1)
        pages.take(self._answers[1])
        self.near = [row for row in rows if self._wanted in normalised(self._key(row))] or rows
        self.whole = pages.whole
        if not pages.more:
            self.complete = pages.whole
        elif self.exact and self._subject.unique:
            return self
        elif not await self._sorted(rows, pages.ahead):
            await self._read_on(pages)
        elif not self._settled(rows):
            await self._halve(2, pages.ahead)
        return self

    async def _read(self, page: int) -> list[Record]:
        if page not in self._answers:
            answer = await self._lookup.search(self._subject, self._said, page, fresh=self._fresh)
            known = {id_key(row.get("id")) for row in self.exact}
            found = [row for row in answer.records() if self._wanted and normalised(self._key(row)) == self._wanted]
            self.exact += [row for row in found if id_key(row.get("id")) not in known]
            self._answers[page] = answer
        return self._answers[page].records()

    async def _sorted(self, rows: list[Record], last: int) -> bool:
        """Whether the pages up to `last`, of which `rows` is the first, are in the order of the subject's field."""
        order, keys = self._order(rows), list(map(self._key, rows))
        return last > 1 and bool(keys) and order is not None and (
            await self._lookup.sorts(self._subject, self._said, keys, order)
        )  # fmt: skip

    def _settled(self, rows: list[Record]) -> bool:
        """No later page can hold (another) exact match."""
        if self.exact and self._subject.unique:
            return True
        order = self._order(rows)
        return order is not None and bool(rows) and order(self._key(rows[-1])) > order(self._said)

    def _order(self, rows: list[Record]) -> Callable[[str], str] | None:
        """The comparison under which these rows are sorted, None where they are not."""
        keys = [self._key(row) for row in rows]
        for order in (normalised, str):
            ordered = [order(key) for key in keys]
            if ordered == sorted(ordered):
                return order
        return None

    def _key(self, row: Record) -> str:
        return str(row.get(self._subject.key) or "")

    async def _halve(self, low: int, last: int) -> None:
        """Pages low..last are sorted, and page low-1 ends before the match."""
        high = last
        while low <= high:
            middle = (low + high) // 2
            rows = await self._read(middle)
            order = self._order(rows)
            if order is None or not rows:
                await self._read_on(self._from(1))
                return
            if order(self._key(rows[0])) > order(self._said):
                high = middle - 1
            elif self._settled(rows):
                if not self._subject.unique and rows[0] in self.exact:
                    await self._read(middle - 1)  # its namesake may be the last row before
                return
            else:
                low = middle + 1
        if low > last and (behind := self._from(last)).more:  # the list goes on behind the page that was its last
            await self._read_on(behind)

    def _from(self, page: int) -> Pages:
        pages = Pages(_PAGE, first=page)
        pages.take(self._answers[page])
        return pages

    async def _read_on(self, pages: Pages) -> None:
        """The pages behind those that were taken; each is asked for once."""
        while pages.more:
            if pages.taken > _MOST_PAGES:
                self.complete = False
                return
            await self._read(pages.next)
            pages.take(self._answers[pages.next])
            if self.exact and self._subject.unique:
                return
        self.complete = pages.whole if pages.first == 1 else not pages.stuck


def _closest_spelling(exact: list[Record], subject: Subject, said: str) -> list[Record]:
    """Of several records that differ only in case, the one spelt as asked."""
    same = [record for record in exact if str(record.get(subject.key)).strip() == said]
    return same if len(same) == 1 and subject.unique else exact


_LISTED = {True: "has a price list of the part", False: "no price list of the part"}


def _joined(*words: str) -> str:
    return "; ".join(filter(None, words))


def _first_word(said: str) -> re.Match[str] | None:
    return re.match(r"[^\W\d_]{3,}|\w{3,}", said)


def _squeezed(text: object) -> str:
    return "".join(normalised(text).split())


def _likeness(name: object, said: str) -> float:
    left, right = normalised(name), normalised(said)
    return difflib.SequenceMatcher(None, left, right).ratio() + left.startswith(right)
