"""Whether a list has a further page: the one answer, for lookups, folds, plans and lists alike.

An ERP may state how many records there are, which page is the last, whether there is more; all, some or none of it, and
not always the truth. Whatever says that there is more is believed, so that `whole` is never said where a stated figure
contradicts it. Where nothing is stated only an empty page is the end: a short one may be as many as the ERP gives at
once. What promises more and brings nothing new is given up (`stuck`), at the second such page at the latest.

Knows figures and ids. Refuses to know who reads, how many pages are worth it, and how they are fetched.
"""

from dataclasses import dataclass, field

from fraction_mcp.erp.endpoints import Endpoint, Paging
from fraction_mcp.erp.records import Record, id_key
from fraction_mcp.erp.response import ErpAnswer, Page

__all__ = ["Pages", "stated_total"]

_BARREN = 2  # pages in a row without anything new: where many records were put in front, one may be such
_UNSTATED = Page()


@dataclass(slots=True, eq=False, repr=False)
class Pages:
    """A list as it is read, page after page from `first` on, `size` rows asked for each.

    `total` is the ERP's own figure, the last one stated. `rows` counts what came, `distinct` each record once. `more`
    is whether there is a further page, `stuck` why reading on would not help although there should be one.
    """

    size: int
    first: int = 1
    taken: int = 0
    rows: int = 0
    distinct: int = 0
    total: int | None = None
    moved: bool = False
    shrunk: bool = False
    more: bool = True
    stuck: str = ""
    _last: int | None = None  # the furthest last page that was stated
    _stride: int = 0  # rows a page, as the first one came
    _gap: bool = False  # the ERP counts rows that it did not give
    _barren: int = 0
    _seen: set[int | str] = field(default_factory=set)
    _nameless: list[Record] = field(default_factory=list)  # the page before, where nothing tells its records apart

    @property
    def next(self) -> int:
        """The number of the page after those that were taken."""
        return self.first + self.taken

    @property
    def ahead(self) -> int:
        """The page up to which all may be asked for at once: the last one, as stated or as the total tells."""
        return self._last if self._last is not None else self._by_total

    @property
    def likely_last(self) -> int:
        """The last page by whichever figure says more."""
        return max(self._last or 1, self._by_total, self.next if self.more else 1)

    @property
    def _by_total(self) -> int:
        return max(-(-(self.total or 0) // (self._stride or self.size)), 1)

    @property
    def whole(self) -> bool:
        """Whether every record was seen, and no figure says otherwise.

        Where records left the list, those behind them moved up: one may have slipped onto a page already read.
        """
        ended = self.first == 1 and not self.more and not self.stuck
        return ended and not self.shrunk and not self._gap and self.total in {None, self.distinct}

    def query(self, endpoint: Endpoint, number: int) -> dict[str, str | int]:
        """What asks for a page. Where pages are counted in rows, the next one begins behind the rows that came."""
        if endpoint.paging is not Paging.START:
            return {"page": number, "per_page": self.size}
        behind = self.rows if number == self.next and self.first == 1 else (number - 1) * (self._stride or self.size)
        return {"start": behind, "limit": self.size}

    def take(self, answer: ErpAnswer) -> list[Record]:
        """The next page: its records that are new. Raises ErpContractBroken where it is no list of records."""
        rows, page = answer.records(), answer.page or _UNSTATED
        before = self._before(page)
        self._note(page)
        listed, number = self._listed(before), self.next
        new = self._new(rows, listed=listed)
        self._stride = self._stride or len(rows) or page.per_page or 0
        self.taken += 1
        self.rows += len(rows)
        self.distinct += len(new)
        self._gap = self._gap or (page.first_row or 0) - 1 > before or (page.last_row or 0) > before + len(rows)
        self._decide(page, number, before + len(rows), new=bool(new), came=bool(rows), listed=listed)
        return new

    def _before(self, page: Page) -> int:
        """How many rows lie before this page: those that came; of a page by itself, as it says or as was asked."""
        if self.first == 1 or self.taken:
            return self.rows
        if page.first_row:
            return page.first_row - 1
        return (self.first - 1) * min(self.size, page.per_page or self.size)

    def _note(self, page: Page) -> None:
        """What the page says of the whole list. The last page may move while they are read."""
        if page.total is not None:
            self.moved = self.moved or self.total not in {None, page.total}
            self.shrunk = self.shrunk or (self.total is not None and page.total < self.total)
            self.total = page.total
        if page.last is not None:
            self._last = max(page.last, self._last or 1)

    def _listed(self, before: int) -> bool:
        """Whether a figure counts this page's rows among the list's."""
        return (self._last is not None and self.next <= self._last) or before < (self.total or 0)

    def _new(self, rows: list[Record], *, listed: bool) -> list[Record]:
        """The records that no page before has brought. One without an id is new, but for the same page once more."""
        new, seen = [], self._seen
        for row in rows:
            key = row.get("id")
            if type(key) is not int:
                key = id_key(key)
                if key is None:
                    new.append(row)
                    continue
            if key not in seen:
                seen.add(key)
                new.append(row)
        nameless = rows if rows and id_key(rows[0].get("id")) is None else []
        again = bool(nameless) and nameless == self._nameless and not listed
        self._nameless = nameless
        return [] if again else new

    def _decide(self, page: Page, number: int, upto: int, *, new: bool, came: bool, listed: bool) -> None:
        """Whether there is more behind this page, up to which `upto` rows of the list were seen."""
        unstated = self.total is None and self._last is None and page.has_more is None
        counted = self._counted_further(number, upto, came=came)
        self.more = counted or page.has_more is True or (unstated and came)
        self._barren = 0 if new else self._barren + 1
        if new:
            return
        # Nothing but "there is more" may be said for ever, and so may a last page that moves on and on.
        given_up = self.more and (not counted or self._barren >= _BARREN)
        # Rows that were seen before, or none on a page that is counted: only a total can tell that this was all.
        unproved = not self.more and number > 1 and self.total is None and (came or listed)
        if given_up or unproved:
            self.more = False
            self.stuck = f"page {number} {'brought nothing new' if came else 'was empty, and more was stated'}"

    def _counted_further(self, number: int, upto: int, *, came: bool) -> bool:
        """Whether a last page or a total says that there is more. A total that was passed is one that is wrong."""
        if self._last is not None and number < self._last:
            return True
        if self.total is None:
            return False
        if not came:
            return number * (self._stride or self.size) < self.total
        passed = upto if self.first > 1 else self.distinct
        return upto < self.total or passed > self.total


def stated_total(answer: ErpAnswer, size: int) -> int | None:
    """How many records a list has, by the ERP's own figure on its first page of `size` rows.

    None where it states none, or where another of its figures disagrees.
    """
    page, rows = answer.page or _UNSTATED, len(answer.records())
    total = page.total
    if total is None:
        return None
    lasts = {-(-total // per) for per in (page.per_page, rows, size) if per}
    agreed = (
        (page.last is None or page.last in lasts or (total == 0 and page.last <= 1))
        and page.has_more in {None, rows < total}
        and (rows > 0 or total == 0)
        and (page.last_row or rows) == rows <= total
    )
    return total if agreed else None
