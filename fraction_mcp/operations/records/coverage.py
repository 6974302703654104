"""What an answer rests on: how much there is, how much was read, whether that is all."""

from pydantic import ConfigDict, Field

from fraction_mcp.erp.pages import Pages
from fraction_mcp.erp.response import ErpAnswer
from fraction_mcp.operations.naming import counted
from fraction_mcp.operations.records.all_pages import Reading
from fraction_mcp.operations.results import ResultPart

__all__ = ["Coverage"]


class Coverage(ResultPart):
    """What an answer rests on. `total` as the ERP states it; a figure that nobody stated is null."""

    model_config = ConfigDict(populate_by_name=True)

    total: int | None
    scanned: int
    returned: int
    first: int | None = Field(alias="from")
    last: int | None = Field(alias="to")
    page: int
    last_page: int | None
    complete: bool
    next_page: int | None

    @classmethod
    def of_page(cls, answer: ErpAnswer, page: int, limit: int) -> "Coverage":
        """A single page, asked for with this number and length."""
        pages = Pages(limit, first=page)
        pages.take(answer)
        stated, returned = answer.page, pages.rows
        first = stated.first_row if stated and stated.first_row is not None else (page - 1) * limit + 1
        return cls(
            total=pages.total,
            scanned=returned,
            returned=returned,
            first=first if returned else None,
            last=first + returned - 1 if returned else None,
            page=page,
            last_page=stated.last if stated else None,
            complete=pages.whole,
            next_page=page + 1 if pages.more else None,
        )

    @classmethod
    def of_matches(cls, reading: Reading, matches: int, returned: int, page: int, limit: int) -> "Coverage":
        """A page of what matched, out of all records that were read."""
        first = (page - 1) * limit + 1
        pages = max(-(-matches // limit), 1)
        return cls(
            total=matches if reading.complete else None,
            scanned=reading.scanned,
            returned=returned,
            first=first if returned else None,
            last=first + returned - 1 if returned else None,
            page=page,
            last_page=pages,
            complete=reading.complete and returned == matches,
            next_page=page + 1 if page < pages else None,
        )

    @classmethod
    def of_all(cls, reading: Reading, returned: int) -> "Coverage":
        """A summary: `total` is the ERP's own figure, `scanned` what was read of it."""
        return cls(
            total=reading.total,
            scanned=reading.scanned,
            returned=returned,
            first=1 if returned else None,
            last=returned or None,
            page=1,
            last_page=1,
            complete=reading.complete,
            next_page=None,
        )

    def cut_to(self, rows: int) -> "Coverage":
        """The same, with fewer rows in the result than were found. The next page of this length would leave some out:
        how to go on is the caller's to say."""
        last = self.first + rows - 1 if self.first and rows else None
        cut = {"returned": rows, "last": last, "complete": False, "next_page": None}
        return self.model_copy(update=cut if rows else {**cut, "first": None})

    def phrase(self, noun: str) -> str:
        """The rows and what they are a part of, each of which is a `noun`: `rows 11 to 20 of 600 parts`."""
        if not self.returned:
            return f"no {noun}s" if self.page == 1 else f"no {noun}s on page {self.page}"
        if self.complete:
            return f"all {self.returned} {noun}s" if self.returned > 1 else f"1 {noun}"
        of = (
            f"of {counted(self.total, noun)}"
            if self.total is not None
            else f"of the {noun}s, whose number is not stated"
        )
        return f"rows {self.first} to {self.last} {of}"
