"""That each difference between the published schemas and the server that is meant is still there, and would be found
if it were not meant."""

import random

import pytest

from torture import arguments
from torture.arguments import REFUSED, TAKEN, Arguments

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
