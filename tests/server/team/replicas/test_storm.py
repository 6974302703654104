"""Fifty people at work while a replica is killed and PostgreSQL restarts: each write is in its ERP once, or known as
one that nobody saw there."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.postgresql import Server
from tests.server.team.replicas.companies import Company
from tests.server.team.replicas.team import Person, Team, team_of, until

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.slow, pytest.mark.long]

PART = {"part_number": "NEW-STORM"}
PEOPLE = 50


async def tried(person: Person, tool: str, **arguments: Any) -> dict[str, Any]:
    """A call's answer, as soon as there is somebody to give it; who repeats it writes nothing twice."""

    async def told() -> dict[str, Any] | None:
        try:
            with anyio.fail_after(60):
                now = await person.call(tool, **arguments)
        except Exception:  # noqa: BLE001 - its replica was killed, or the other one has not come up yet
            return None
        return None if "outcome" not in now and now.get("error", {}).get("retryable") else now

    found: dict[str, Any] = await until(told, within_s=240, every_s=1)
    return found


async def approved(person: Person, write_id: str) -> None:
    try:
        with anyio.fail_after(60):
            await person.approves(write_id)
    except Exception:  # noqa: BLE001 - it is looked up what came of it
        return


async def writes_once(person: Person, ended: Counter[str]) -> None:
    first = await tried(person, "create_part", **PART)
    if "write_id" not in first:
        assert first["error"]["code"] == "DUPLICATE", first  # the answer before it was lost, and it is there
        ended["seen as there"] += 1
        return
    write_id = first["write_id"]

    async def over() -> str:
        now = await tried(person, "get_write_status", write_id=write_id)
        if now["outcome"] == "awaiting_approval":
            await approved(person, write_id)
        if now["outcome"] == "unknown" and not person.company.asked("POST", "/parts"):
            return "never sent"
        return str(now["outcome"]) if now["outcome"] in {"done", "failed"} else ""

    ended[await until(over, within_s=240, every_s=1)] += 1


@dataclass
class Breaks:
    """One replica in the middle of a commit, then PostgreSQL, then the other replica in the middle of one."""

    team: Team
    server: Server
    begun: anyio.Event = field(default_factory=anyio.Event)
    again: anyio.Event = field(default_factory=anyio.Event)

    async def run(self) -> None:
        await self.begun.wait()
        await self._killed_in_mid_commit(self.team.companies.of[1], 0)
        await anyio.to_thread.run_sync(self.server.stop)
        await anyio.to_thread.run_sync(self.server.start)
        self.again.set()
        await self._killed_in_mid_commit(self.team.companies.of[PEOPLE], 1)

    async def _killed_in_mid_commit(self, company: Company, place: int) -> None:
        hold, address = self.team.companies.hold(company, "/parts"), f"10.1.0.{company.number}"
        self.team.proxy.only[address] = place
        await until(hold.reached.is_set)
        await self.team.replicas[place].killed()
        self.team.proxy.ports[place] = 1  # nothing listens there
        del self.team.proxy.only[address]
        hold.let_go.set()
        await self.team.put(place)


async def test_nothing_is_doubled_and_nothing_lost_while_everything_breaks(
    server: Server, template: Path, tmp_path: Path
) -> None:
    ended = Counter[str]()
    quick = {"FRACTION_MCP_TIMEOUT_S": "5"}
    async with team_of(PEOPLE, postgres=server, template=template, folder=tmp_path, changes=quick) as team:
        signed_in, breaks = 0, Breaks(team, server)

        async def one(number: int) -> None:
            nonlocal signed_in
            async with team.person(number) as person:
                signed_in += 1
                if signed_in == PEOPLE:
                    breaks.begun.set()
                await (breaks.again if number == PEOPLE else breaks.begun).wait()
                await writes_once(person, ended)

        async with anyio.create_task_group() as group:
            group.start_soon(breaks.run)
            for number in team.companies.of:
                group.start_soon(one, number)
        made = {number: company.made() for number, company in team.companies.of.items()}
        sent = {number: company.asked("POST", "/parts") for number, company in team.companies.of.items()}
        assert ended["failed"] == 0, ended
        assert max(sent.values()) == 1, sent
        assert all(len(made[number]) == sent[number] for number in made), made
        assert sum(sent.values()) == PEOPLE - ended["never sent"]
        print(ended, sum(team.proxy.served.values()), "requests")
        assert team.held_against_each() >= 2 * PEOPLE
