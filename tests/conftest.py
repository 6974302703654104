"""What every test leans on: asynchronous ones run on asyncio, as the server does. And the law that a test which starts
a process or a browser says so by its marker."""

import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# How long one example takes says how busy the machine is.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_configure(config: pytest.Config) -> None:
    """A shell lets what it runs in the background ignore Ctrl-C; the children of the tests would, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# ------------------------------------------------------------------------------------------- what a test costs, it says

_BROWSERS = ("chromium", "playwright")
_OF_LIBRARIES = {"uname"}  # what the platform module asks, the first time that a driver wants to know


class _Started:
    """Which commands the running test has started, itself or through fixtures of its own.

    What a fixture of the session or of a module starts serves many tests, and is none of theirs.
    """

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.listening = False

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        ours = event == "tests.process" or (event == "subprocess.Popen" and arguments[0] not in _OF_LIBRARIES)
        if self.listening and ours:
            self.commands.append(str(arguments[0]))


_started = _Started()
sys.addaudithook(_started.heard)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _started.commands.clear()
    _started.listening = True
    try:
        return (yield)
    finally:
        _started.listening = False


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
    before = _started.listening
    _started.listening = before and fixturedef.scope == "function"
    try:
        return (yield)
    finally:
        _started.listening = before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    result = yield
    wanted = {"browser" if any(word in command for word in _BROWSERS) else "process" for command in _started.commands}
    missing = sorted(name for name in wanted if not item.get_closest_marker(name))
    if missing:
        pytest.fail(
            f"it starts {_started.commands[0]!r}: mark it {' and '.join(missing)} (pyproject.toml)", pytrace=False
        )
    return result
