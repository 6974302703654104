"""That the fuzzer notices: each difference between the published schemas and the server that is meant is still there,
and would be found if it were not; and a forgery that counts is found."""

import random
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

from fraction_mcp.approvals import auth
from fraction_mcp.operations.writes import service
from torture import arguments
from torture.arguments import REFUSED, TAKEN, Arguments
from torture.tokens import tokens
from torture.worlds import seed

pytestmark = pytest.mark.anyio

SEED, MOST = 14, 60_000


def found(name: str) -> str:
    """What is wrong with the first set of arguments that shows it."""
    tries = Arguments(random.Random(SEED))
    wrong = ""
    while not wrong and tries.tried < MOST and not tries.met[name]:
        wrong = tries.once()
    return wrong


@pytest.mark.slow
def test_each_difference_that_is_meant_is_one_and_nothing_else_is() -> None:
    tries = Arguments(random.Random(SEED))
    while set(TAKEN) | set(REFUSED) != set(tries.met):
        assert tries.once() == ""
        assert tries.tried < MOST, (set(TAKEN) | set(REFUSED)) - set(tries.met)


@pytest.mark.slow
@pytest.mark.parametrize("name", TAKEN)
def test_a_spelling_that_nobody_meant_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(arguments, "TAKEN", {known: each for known, each in TAKEN.items() if known != name})
    assert "the schema says" in found(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_that_nobody_meant_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(arguments, "REFUSED", {known: each for known, each in REFUSED.items() if known != name})
    assert "that no table holds" in found(name)


CARELESS = {
    "cookies": (auth, "is_same", lambda *_: True),
    "sign-in links": (auth.InboxAuth, "enter", lambda *_: auth.Session("place", "id", "csrf")),
    "confirmation tokens": (service, "hmac", SimpleNamespace(compare_digest=lambda *_: True)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", CARELESS)
async def test_a_forgery_that_counts_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    wrong = set[str]()
    with anyio.fail_after(60):
        async with tokens(random.Random(SEED), tmp_path, seed(tmp_path)) as (forgeries, _):
            monkeypatch.setattr(*CARELESS[kind])
            while kind not in wrong:
                wrong.add((await forgeries.once()).partition(":")[0])
            monkeypatch.undo()
