"""The law of the one clock: leases, expiries, links, tokens and what cards say of them run in a time that tests and
torture can move. Whoever reads another clock stands here, with how often and why.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fraction_mcp"

CLOCKS = {
    *(f"time.{name}{unit}" for name in ("time", "monotonic", "perf_counter", "clock_gettime") for unit in ("", "_ns")),
    *(f"time.{name}" for name in ("gmtime", "localtime", "ctime", "asctime", "strftime", "sleep", "*")),
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
    "anyio.current_time",
    "asyncio.get_running_loop().time",
    "asyncio.get_event_loop().time",
}

MAY_READ: Mapping[str, tuple[str, str]] = {
    "runtime.py": (
        "time.time",
        "where the one clock comes from, unless a test gives another: all that decides is handed it",
    ),
    "operations/writes/journal.py": (
        "time.time 2",
        "the same for commands that open the journal without a runtime",
    ),
    "operations/context.py": (
        "time.time 2",
        "the same for a context without a runtime, as tests make them",
    ),
    "erp/client.py": (
        "time.time 3",
        "the same for a client without one; and how long a request took, for the log alone",
    ),
    "erp/cache.py": (
        "time.clock_gettime, time.monotonic",
        "how old what is remembered is: it must run on while the machine sleeps, whatever the time of day",
    ),
    "operations/known_fields.py": (
        "datetime.datetime.now, time.monotonic 2",
        "the same for what was made of reads; and when what was made of none was made",
    ),
    "operations/writes/journal_changes.py": (
        "anyio.current_time 4",
        "how long somebody waits for a change, and how soon it is tried again",
    ),
    "approvals/writes_pages.py": (
        "anyio.current_time 2",
        "how often an open page has what time has done to writes looked at",
    ),
    "operations/suggestions.py": (
        "time.monotonic",
        "how long suggestions that were looked up are kept: they decide nothing",
    ),
    "approvals/browser.py": (
        "time.time 2",
        "once a minute for all processes, held against a file's own time",
    ),
    "approvals/senders.py": (
        "time.time",
        "whether a process lives, held against a file's own time",
    ),
    "approvals/process.py": (
        "anyio.current_time 5",
        "how long nobody has needed the inbox's process: seconds of its own loop",
    ),
    "operations/writes/committing.py": (
        "anyio.current_time 2",
        "how long a database that restarts is waited for, after the answer has come",
    ),
    "erp/observed.py": (
        "time.perf_counter 2",
        "how long a request took, for metrics alone",
    ),
    "server/team/people.py": (
        "anyio.current_time",
        "how long nobody has used what is kept open for a person",
    ),
    "server/team/watch.py": (
        "anyio.current_time",
        "how long an approved write is left to the replica of its person: seconds of its own loop",
    ),
    "server/team/calls_in_turn.py": (
        "anyio.current_time",
        "whether a call was given up for its own time",
    ),
    "server/team/jwt.py": (
        "time.monotonic",
        "how often a refusal is logged",
    ),
    "server/team/issuer_keys.py": (
        "time.monotonic",
        "how long an issuer's keys are kept: setting the time of day keeps none longer",
    ),
    "server/team/client_documents.py": (
        "time.monotonic",
        "how long a client's document is kept, likewise",
    ),
    "server/team/health.py": (
        "time.monotonic",
        "how long a look at the health is kept",
    ),
    "server/team/fetch.py": (
        "time.monotonic 2",
        "how long a fetch may take",
    ),
    "server/team/consent_request.py": (
        "time.time",
        "the one clock's own source for what is signed in the team server",
    ),
    "server/team/store.py": (
        "time.time",
        "the same for its store of grants",
    ),
    "server/calls.py": (
        "time.monotonic",
        "how often progress is told",
    ),
    "server/call_log.py": (
        "time.perf_counter 3",
        "how long a call took, for the log alone",
    ),
    "approvals/auth.py": (
        "time.monotonic",
        "how long a sign-in link lives, unless a test says: setting the time of day revives none",
    ),
    "cli/call.py": (
        "anyio.current_time",
        "a person's answer is held back until a second after its question: seconds of this process's loop",
    ),
    "cli/demo.py": (
        "time.monotonic 2",
        "how long the demonstration took",
    ),
    "cli/doctor/machine.py": (
        "time.perf_counter 2",
        "how long a start takes",
    ),
    "cli/doctor/network.py": (
        "datetime.datetime.now, time.perf_counter 2",
        "how long a connection takes; and whether the machine's own clock goes wrong",
    ),
    "operations/writes/journal_sqlite.py": (
        "time.monotonic 2, time.sleep",
        "how long a connection waits, in its thread, for a file that another process is making",
    ),
}


def reads(source: str) -> str:
    """The clocks that a file names, whatever it calls them, each with how often where that is more than once."""
    tree = ast.parse(source)
    called = dict(_imported(tree))
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute))
    found = Counter(clock for node in names if (clock := _whole(node, called)) in CLOCKS)
    found.update(whole for whole in called.values() if whole == "time.*")
    return ", ".join(f"{clock} {count}" if count > 1 else clock for clock, count in sorted(found.items()))


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What a name of the file stands for, by its import, wherever that is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            tops = [name.name if name.asname else name.name.partition(".")[0] for name in node.names]
            yield from ((name.asname or top, top) for name, top in zip(node.names, tops, strict=True))
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((name.asname or name.name, f"{node.module}.{name.name}") for name in node.names)


def _whole(node: ast.expr, called: Mapping[str, str]) -> str:
    """`dt.now` after `from datetime import datetime as dt` is `datetime.datetime.now`; empty for what is no name."""
    if isinstance(node, ast.Name):
        return called.get(node.id, "")
    if isinstance(node, ast.Attribute):
        return f"{_whole(node.value, called)}.{node.attr}"
    return f"{_whole(node.func, called)}()" if isinstance(node, ast.Call) else ""


def test_what_decides_goes_by_the_one_clock_and_whoever_reads_another_says_how_often_and_why() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): named
        for path in PACKAGE.rglob("*.py")
        if "sandbox" not in path.parts and (named := reads(path.read_text(encoding="utf-8")))
    }
    assert found == {file: named for file, (named, _) in MAY_READ.items()}
    assert all(why for _, why in MAY_READ.values())


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import time\nclock = time.time\nnow = time.time()", "time.time 2"),
        ("from time import monotonic\nmonotonic()", "time.monotonic"),
        ("from time import monotonic as now, sleep\nnow()\nsleep(1)", "time.monotonic, time.sleep"),
        ("from time import *", "time.*"),
        ("import time as t\ndef f():\n    return t.time_ns()", "time.time_ns"),
        ("import datetime as dt\ndt.datetime.now()", "datetime.datetime.now"),
        (
            "from datetime import date, datetime as d\nd.now()\ndate.today()",
            "datetime.date.today, datetime.datetime.now",
        ),
        ("from anyio import current_time\ncurrent_time()", "anyio.current_time"),
        ("import asyncio\nasyncio.get_running_loop().time()", "asyncio.get_running_loop().time"),
        ('"""Unlike `time.monotonic`."""\nfrom datetime import datetime\ndatetime.fromtimestamp(clock())', ""),
    ],
)
def test_a_clock_is_seen_whatever_it_is_called(source: str, named: str) -> None:
    assert reads(source) == named
