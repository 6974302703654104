"""What a name that is being typed may become: in one request at most, and honest about what was not seen."""

from typing import Any

import pytest

from fraction_mcp.errors import InvalidFields
from fraction_mcp.operations.candidates import CUSTOMER, PART
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.suggestions import Suggester
from tests.support import ListedErp, customer, part

pytestmark = pytest.mark.anyio

FEW = [part(1, "BRKT-1"), part(2, "WIDGET-001", description="for BRKT"), part(3, "XBRKT-9"), part(4, "brkt-0")]
MANY = [part(number, f"BRKT-{number}") for number in range(1000, 1160)]


class Typing:
    """Somebody types: every text in turn, by a clock that stands unless it is moved."""

    def __init__(self, erp: ListedErp, keep_s: float = 30) -> None:
        self.now = 1000.0
        self.erp = erp
        self.context = ErpContext.set_up(erp, currency="", confirm="human", read_only=False, version="1")
        self.suggester = Suggester(keep_s, clock=lambda: self.now)

    async def types(self, *texts: str, subject: Any = PART) -> Any:
        for text in texts:
            found = await self.suggester.suggestions(self.context, subject, text)
        return found


async def test_what_begins_with_the_text_stands_before_what_holds_it() -> None:
    found = await Typing(ListedErp(parts=FEW)).types("brkt")
    assert found.values == ("brkt-0", "BRKT-1", "XBRKT-9")
    assert (found.total, found.has_more) == (3, False)


async def test_without_a_text_it_is_the_first_page_of_the_list() -> None:
    erp = ListedErp(parts=[*MANY, *FEW])
    found = await Typing(erp).types("")
    assert erp.asked == [("/parts", {"per_page": 100, "page": 1, "sort": "part_number", "order": "asc"})]
    assert (len(found.values), found.total, found.has_more) == (100, None, True)


async def test_what_was_not_seen_is_not_counted() -> None:
    found = await Typing(ListedErp(parts=MANY)).types("BRKT")
    assert (len(found.values), found.total, found.has_more) == (100, None, True)


async def test_one_name_is_one_value_whoever_has_it() -> None:
    erp = ListedErp(customers=[customer(1, "Acme Corp"), customer(2, "Acme Corp"), customer(3, "Acme\u202e Ltd\n")])
    found = await Typing(erp).types("acme", subject=CUSTOMER)
    assert found.values == ("Acme Corp", "Acme Ltd")


async def test_typing_on_from_what_showed_everything_costs_no_further_request() -> None:
    typing = Typing(ListedErp(parts=FEW))
    assert (await typing.types("b", "br", "brkt-", "brkt-1")).values == ("BRKT-1",)
    assert typing.erp.requests == 1
    await typing.types("br")
    assert typing.erp.requests == 1, "and back"


async def test_every_keystroke_costs_one_request_where_there_is_more_than_was_seen() -> None:
    typing = Typing(ListedErp(parts=MANY))
    await typing.types("B", "BR", "BRK")
    assert typing.erp.requests == 3


async def test_an_erp_that_refuses_to_sort_is_asked_once_a_keystroke_too() -> None:
    typing = Typing(ListedErp(parts=FEW, sorting="refuses"))
    with pytest.raises(InvalidFields):
        await typing.types("w")
    assert typing.erp.requests == 1
    assert (await typing.types("w")).values == ("WIDGET-001",)
    assert typing.erp.requests == 2


async def test_what_was_seen_is_forgotten_in_time_and_at_a_write() -> None:
    typing = Typing(ListedErp(parts=FEW))
    await typing.types("b")
    typing.now += 31
    await typing.types("br")
    assert typing.erp.requests == 2
    await typing.types("brk")
    assert typing.erp.requests == 2
    typing.erp.writes += 1
    await typing.types("brkt")
    assert typing.erp.requests == 3


async def test_without_a_memory_of_reads_nothing_is_remembered() -> None:
    typing = Typing(ListedErp(parts=FEW), keep_s=0)
    await typing.types("b", "b")
    assert typing.erp.requests == 2
