"""The model of a person's yes: it is good for one send, and gone with the wait that it ended."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

pytest.importorskip("hypothesis")
from fraction_mcp.operations.writes.journal_tables import Transaction
from torture.model import Writes
from torture.worlds import SUBJECTS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open database cannot be removed there")


@pytest.fixture
def writes() -> Iterator[Writes]:
    model = Writes()
    model.opens()
    yield model
    model.teardown()


def asked_for(writes: Writes) -> str:
    return str(writes.asks(process=0, tool="create_enquiry", other=False))


def one_more_is_sent(writes: Writes, write: str) -> None:
    writes.witness.sent[writes._write(write).plan.content] += 1


@pytest.mark.parametrize("end", ["declined", "expired", "sent"])
def test_a_yes_is_gone_when_it_is_taken_back_too_old_or_spent(writes: Writes, end: str) -> None:
    write = asked_for(writes)
    writes.says_yes(write=write, process=0, shown="this", sends=False)
    writes.is_as_it_must_be()
    if end == "declined":
        writes.says_no(write=write, process=1)
    elif end == "expired":
        writes.time_passes(seconds=100_000.0)
    else:
        writes.is_asked_about(write=write, process=1)
    writes.is_as_it_must_be()
    one_more_is_sent(writes, write)
    with pytest.raises(AssertionError, match="sent 1 times on 0 approvals"):
        writes.is_as_it_must_be()


def test_a_yes_to_what_was_stopped_and_waits_again_is_gone(writes: Writes) -> None:
    batch = [str(each) for each in writes.asks_for_several(process=0, others=[False, False, False]).values]
    writes.the_erp_will_fail("dropped before the commit")
    writes.says_yes(write=batch[0], process=0, shown="this", sends=True)
    writes.is_as_it_must_be()
    assert writes._write(batch[2]).state == "awaiting_approval"
    one_more_is_sent(writes, batch[2])
    with pytest.raises(AssertionError, match="sent 1 times on 0 approvals"):
        writes.is_as_it_must_be()


def test_what_is_declined_without_a_no_is_noticed(writes: Writes) -> None:
    write = asked_for(writes)
    writes.says_no(write=write, process=1)
    writes.is_as_it_must_be()
    writes.no.clear()
    with pytest.raises(AssertionError, match="declined 1 times on 0 noes"):
        writes.is_as_it_must_be()


def test_two_that_are_done_with_one_record_are_noticed(writes: Writes) -> None:
    for _ in range(2):
        writes.says_yes(write=asked_for(writes), process=0, shown="this", sends=True)
        writes.is_as_it_must_be()
    held = SUBJECTS["create_enquiry"].held(writes.world, SUBJECTS["create_enquiry"].arguments)
    assert held == 2
    with closing(sqlite3.connect(writes.world.folder / "erp.sqlite3")) as erp, erp:
        erp.execute("DELETE FROM contracts WHERE id = (SELECT max(id) FROM contracts)")
    with pytest.raises(AssertionError, match="2 writes are done, and the ERP holds 1"):
        writes.is_as_it_must_be()


def test_what_stays_approved_behind_one_that_did_not_go_is_noticed(
    writes: Writes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(Transaction, "_stop", nothing)
    batch = [str(each) for each in writes.asks_for_several(process=0, others=[False, False, False]).values]
    writes.the_erp_will_fail("dropped before the commit")
    writes.says_yes(write=batch[0], process=0, shown="this", sends=True)
    with pytest.raises(AssertionError, match="approved behind one that is unknown"):
        writes.is_as_it_must_be()


def test_what_is_to_be_sent_without_a_yes_is_noticed(writes: Writes) -> None:
    write = asked_for(writes)
    writes.says_yes(write=write, process=0, shown="this", sends=False)
    writes.yes.clear()
    with pytest.raises(AssertionError, match="a person said so 0 times"):
        writes.is_as_it_must_be()
