"""A name or number -> one record, or the candidates. Never a guess that is not called one.

An exact match wins (case and surrounding space aside). The ERP's `search` finds anything that contains the text, in an
order of its own, so `BRKT-1` may stand behind a hundred of `BRKT-1000…`. Asked to sort by the number itself, it puts
the match where it can be reached in a few pages whatever their count. No document says by which fields a list sorts, so
that it does is checked: once by asking the other way round, since a page may be in order by chance, and on every page.
All pages are read where it does not. Where the list ends is `erp.pages`'s to say; what was just read is the memory's.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fraction_mcp.erp import Erp
from fraction_mcp.erp.pages import Pages
from fraction_mcp.erp.records import Record, id_key, shown_id
from fraction_mcp.erp.response import ErpAnswer, unreadable
from fraction_mcp.errors import InvalidFields, NotFound
from fraction_mcp.operations.candidates import PART, NotOne, Subject, candidates_of
from fraction_mcp.operations.naming import runs_of
from fraction_mcp.values.text import clean, normalised, quoted

__all__ = ["PAGE", "Found", "Lookup"]

PAGE = 100  # FractionERP's most a page
_MOST_PAGES = 50  # unsorted pages read for one name before giving up
_ID_DIGITS = 18  # what any database counts in


@dataclass(frozen=True, slots=True)
class Found:
    """The one record, which has an id. `how` says by what; a near match must be named as such to the reader.

    `alone` is whether another record of the same name could not have gone unseen. `own`: by a number that is not ours
    but the `owner`'s, a customer. `also` is what else the name may mean, as a sentence.
    """

    record: Record
    how: Literal["exact", "id", "near", "own"]
    said: str
    alone: bool = True
    owner: str = ""
    also: str = ""

    def remark(self, subject: Subject) -> str:
        """What the summary owes its reader about the match; empty for a plain exact one."""
        if not self.alone:
            return f"The list could not be read to its end: another {subject.noun} may be called {quoted(self.said)}. "
        if self.how == "near":
            name = quoted(str(self.record.get(subject.key)))
            return f"{name} is the only {subject.noun} like {quoted(self.said)}. "
        if self.how == "own":
            name = quoted(str(self.record.get(subject.key)))
            return f"{quoted(self.said)} is the own number of {quoted(self.owner)} for {name}. "
        if self.how == "exact" and self.said.isdigit():
            return f"{self.said} was taken as the {subject.key.replace('_', ' ')}, not as an id. {self.also}"
        return self.also


class Lookup:
    """Finds parts and customers in FractionERP. A part that the ERP's memory of reads holds costs no search."""

    def __init__(self, erp: Erp) -> None:
        self._erp = erp
        self._unsortable: set[str] = set()
        self._sorts: dict[str, bool] = {}

    async def find(
        self, subject: Subject, reference: str, *, strict: bool = False, argument: str = ""
    ) -> Found | NotOne:
        """One record for a name, number or id.

        `strict` is for writes: no near match, nothing from memory, a number that is both a key and another record's id
        is ambiguous, and so is a name where another record of it may have gone unseen. Raises ErpContractBroken for a
        record without an id.
        """
        reference = clean(reference, 200)
        if not strict and subject is PART and (seen := self._erp.seen(subject.listing, subject.key, reference)):
            return self._matched(subject, seen, "exact", reference)
        scan = await _Scan(self, subject, reference, fresh=strict).run()
        exact = _closest_spelling(scan.exact, subject, reference)
        by_id = None
        if reference.isascii() and reference.isdigit() and len(reference) <= _ID_DIGITS and (strict or not exact):
            by_id = await self.by_id(subject, reference, fresh=strict)
        if strict and by_id and exact and any(id_key(record.get("id")) != id_key(by_id["id"]) for record in exact):
            exact = [*exact, by_id]
        alone = scan.complete or subject.unique
        if len(exact) == 1 and (alone or not strict):
            return self._matched(subject, exact[0], "exact", reference, alone=alone)
        if exact:
            return self._not_one("ambiguous", subject, reference, exact, argument, complete=alone)
        if by_id:
            return self._matched(subject, by_id, "id", reference)
        near = scan.near
        if len(near) == 1 and scan.whole and not strict:
            return self._matched(subject, near[0], "near", reference)
        if near:
            answer = self._not_one("ambiguous", subject, reference, near, argument, complete=scan.complete)
            return replace(answer, total=len(near) if scan.whole else scan.total)
        loose = await self._similar(subject, reference)
        return self._not_one("not_found", subject, reference, loose, argument, complete=scan.complete)

    def _matched(
        self,
        subject: Subject,
        record: Record,
        how: Literal["exact", "id", "near"],
        reference: str,
        *,
        alone: bool = True,
    ) -> Found:
        if id_key(record.get("id")) is None:
            raise unreadable(subject.listing, f"a {subject.noun} in it has no id")
        return Found({**record, "id": shown_id(record)}, how, reference, alone)

    async def by_id(self, subject: Subject, reference: str, *, fresh: bool = False) -> Record | None:
        """The record of this id, None where there is none."""
        try:
            record = (await self._erp.call(subject.single, path={"id": int(reference)}, fresh=fresh)).record()
        except NotFound:
            return None
        if id_key(record.get("id")) != int(reference):
            raise unreadable(subject.single, "it is not the record of that id")
        return record

    async def search(self, subject: Subject, text: str, page: int, *, fresh: bool = False) -> ErpAnswer:
        """A page of what contains the text, sorted by the subject's own field where the ERP sorts by it."""
        if subject.noun not in self._unsortable:
            try:
                return await self._page(subject, text, page, fresh=fresh)
            except InvalidFields:
                self._unsortable.add(subject.noun)
        return await self._page(subject, text, page, fresh=fresh)

    async def first_page(self, subject: Subject, text: str) -> ErpAnswer:
        """The same of the first page, in one request whatever happens; without a text, of the whole list. Where the ERP
        refuses to sort, it raises InvalidFields, once."""
        try:
            return await self._page(subject, text, 1)
        except InvalidFields:
            self._unsortable.add(subject.noun)
            raise

    async def _page(self, subject: Subject, text: str, page: int, *, fresh: bool = False) -> ErpAnswer:
        query: dict[str, str | int] = {"per_page": PAGE, "page": page}
        if text:
            query["search"] = text
        if subject.noun not in self._unsortable:
            query |= {"sort": subject.key, "order": "asc"}
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

    async def alike(self, subject: Subject, reference: str) -> list[Record]:
        """Records whose key is the same but for case and spaces, as far as the ERP's search shows them; read anew."""
        words = dict.fromkeys(filter(None, (reference, *(match[0] for match in [_first_word(reference)] if match))))
        records: dict[object, Record] = {}
        for word in words:
            for record in (await self.search(subject, word, 1, fresh=True)).records():
                if _squeezed(record.get(subject.key) or "") == _squeezed(reference):
                    records[id_key(record.get("id"))] = record
        return list(records.values())

    async def _similar(self, subject: Subject, reference: str) -> list[Record]:
        """Candidates for a misspelt name: records that share its first word, or the run of letters or digits that is
        left where its punctuation is another one."""
        first = _first_word(reference)
        words = [first[0]] if first else []
        words += [run for run in runs_of(reference)[:1] if run not in words and len(run) > 1]
        records: dict[object, Record] = {}
        for word in words:
            if word != reference:
                records |= {
                    id_key(record.get("id")): record for record in (await self.search(subject, word, 1)).records()
                }
        return list(records.values())

    def _not_one(
        self,
        status: Literal["ambiguous", "not_found"],
        subject: Subject,
        reference: str,
        records: Sequence[Record],
        argument: str,
        *,
        complete: bool = True,
    ) -> NotOne:
        candidates = candidates_of(subject, reference, records, argument)
        return NotOne(status, subject, reference, candidates, complete)


class _Scan:
    """Looks for an exact match through the pages of a search, in as few requests as their order allows."""

    def __init__(self, lookup: Lookup, subject: Subject, reference: str, *, fresh: bool) -> None:
        self._lookup = lookup
        self._fresh = fresh
        self._subject = subject
        self._reference = reference
        self._wanted = normalised(reference)
        self._answers: dict[int, ErpAnswer] = {}
        self.exact: list[Record] = []
        self.near: list[Record] = []
        self.whole = True  # everything that contains the text has been seen
        self.total: int | None = None  # of what contains the text, as the ERP states it
        self.complete = True  # an exact match would have been seen

    async def run(self) -> "_Scan":
        pages = Pages(PAGE)
        rows = await self._read(1)
        pages.take(self._answers[1])
        self.near = [row for row in rows if self._wanted in normalised(self._key(row))] or rows
        self.whole, self.total = pages.whole, pages.total
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
            answer = await self._lookup.search(self._subject, self._reference, page, fresh=self._fresh)
            known = {id_key(row.get("id")) for row in self.exact}
            matches = [row for row in answer.records() if self._wanted and normalised(self._key(row)) == self._wanted]
            self.exact += [row for row in matches if id_key(row.get("id")) not in known]
            self._answers[page] = answer
        return self._answers[page].records()

    async def _sorted(self, rows: list[Record], last: int) -> bool:
        """Whether the pages up to `last`, of which `rows` is the first, are in the order of the subject's field."""
        order, keys = self._order(rows), list(map(self._key, rows))
        return last > 1 and bool(keys) and order is not None and (
            await self._lookup.sorts(self._subject, self._reference, keys, order)
        )  # fmt: skip

    def _settled(self, rows: list[Record]) -> bool:
        """No later page can hold (another) exact match."""
        if self.exact and self._subject.unique:
            return True
        order = self._order(rows)
        return order is not None and bool(rows) and order(self._key(rows[-1])) > order(self._reference)

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
            if order(self._key(rows[0])) > order(self._reference):
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
        pages = Pages(PAGE, first=page)
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


def _closest_spelling(exact: list[Record], subject: Subject, reference: str) -> list[Record]:
    """Of several records that differ only in case, the one spelt as asked."""
    same = [record for record in exact if str(record.get(subject.key)).strip() == reference]
    return same if len(same) == 1 and subject.unique else exact


def _first_word(reference: str) -> re.Match[str] | None:
    return re.match(r"[^\W\d_]{3,}|\w{3,}", reference)


def _squeezed(text: object) -> str:
    return "".join(normalised(text).split())
