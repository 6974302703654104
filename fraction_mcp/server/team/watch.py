"""What was approved anywhere is sent, and what is unsure is looked for, in the name of whoever asked for it.

Every replica watches; the journal's claim lets one of them send. Of a replica that died in the middle of a send, the
write becomes `unknown` when its lease runs out, and another one looks for it.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence

import anyio
from anyio.abc import TaskGroup

from fraction_mcp.operations.writes.approvers import SIGNED_IN, subject_of
from fraction_mcp.operations.writes.failing import logged_once
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.states import State
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.server.team.people import People, Person

__all__ = ["Watch"]

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
_TROUBLED_S = 10.0
_FIRST_LOOK_S, _LONGEST_S = 5.0, 3_600.0  # after how long an unsure one is looked for, and at the longest again
_OWN_S = 5.0  # so long an approved write is left to the replica where its person said yes, which sends it at once


class Watch:
    """Of one replica. `journal` is everybody's."""

    def __init__(self, people: People, journal: Journal) -> None:
        self._people = people
        self._journal = journal
        self._busy = set[str]()  # the askers who are being seen to
        self._looks: dict[str, tuple[float, float]] = {}  # of each unsure write: when it is looked for, and then after
        self._left: dict[str, tuple[set[str], float]] = {}  # of each batch: what is approved of it, and until when left

    async def run(self) -> None:
        """Until it is cancelled. What has begun to be sent ends first, in the runtime of its person."""
        last_logged = ""
        async with anyio.create_task_group() as group:
            while True:
                try:
                    await self._seen_to(group)
                    last_logged = ""
                except Exception as error:  # noqa: BLE001 - whatever fails for a while, nothing approved is forgotten
                    last_logged = logged_once(logger, error, last_logged)
                    await anyio.sleep(_TROUBLED_S)
                await anyio.sleep(_LOOK_S)

    async def _seen_to(self, group: TaskGroup) -> None:
        """Begin what is due, for one person beside another: an ERP that is slow for one holds nobody else up."""
        open_writes = await self._journal.latest((State.APPROVED, State.UNKNOWN), limit=None)
        self._looks = {write.id: self._looks[write.id] for write in open_writes if write.id in self._looks}
        due, left = defaultdict[str, list[Write]](list), self._left_to_others(open_writes)
        for write in open_writes:
            if write.id in left:
                continue
            if write.asker.startswith(SIGNED_IN) and write.asker not in self._busy and self._is_due(write):
                due[write.asker].append(write)
        for asker, writes in due.items():
            self._busy.add(asker)
            group.start_soon(self._for_one, asker, writes)

    def _left_to_others(self, open_writes: Sequence[Write]) -> set[str]:
        """The approved writes that their own replica has had no time for yet, or of whose batch it has sent one
        meanwhile. Both would read the ERP anew for one, and who comes second could not tell its person what came of it.

        Whoever approves for somebody else sends nothing. The time is this replica's own, whatever others' clocks say.
        """
        together = defaultdict[str, set[str]](set)
        for write in open_writes:
            if write.state is State.APPROVED and not write.approvers:
                together[write.batch or write.id].add(write.id)
        now, before = anyio.current_time(), self._left
        self._left = {
            batch: before[batch] if before.get(batch, (None,))[0] == approved else (approved, now + _OWN_S)
            for batch, approved in together.items()
        }
        return {each for approved, until in self._left.values() if now < until for each in approved}

    def _is_due(self, write: Write) -> bool:
        """An unsure one is looked for less and less often: what has not shown in an hour is a person's to settle."""
        if write.state is State.APPROVED:
            return True
        now = self._journal.now()
        at, after_s = self._looks.setdefault(write.id, (now + _FIRST_LOOK_S, _FIRST_LOOK_S))
        if now < at:
            return False
        after_s = min(after_s * 4, _LONGEST_S)
        self._looks[write.id] = (now + after_s, after_s)
        return True

    async def _for_one(self, asker: str, writes: Sequence[Write]) -> None:
        subject = subject_of(asker)
        try:
            service = await (await self._people.of(Person(subject, subject))).write_service()
            for write in writes:
                if service.may_commit(write):
                    await service.commit(write)
                else:
                    await service.look_again(write)
        except Exception:
            logger.exception("the writes of a person could not be seen to; they are tried again")
        finally:
            self._busy.discard(asker)
