"""What every test leans on: asynchronous ones run on asyncio, as the server does, and no keychain of the machine's is
ever asked: there is none, but for tests that bring one of their own (`tests/keychain.py`). And the law that a test
which starts a process or a browser says so by its marker."""

import asyncio
import gc
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import postgresql

# How long one example takes says how busy the machine is.
settings.register_profile("all day", deadline=None, max_examples=20)
settings.register_profile("thorough", deadline=None, max_examples=100)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("all day" if "slow" in config.option.markexpr else "thorough")
    config.pluginmanager.register(_Cost())  # the hooks of fixtures of the session do not reach a conftest
    # A shell lets what it runs in the background ignore Ctrl-C; the children of the tests would, too.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _is_roomy(memory: str) -> bool:
    """Whether what tests write may stay in memory: a container's is 64 MB, and may carry nothing out.

    PYTEST_DEBUG_TEMPROOT=/tmp says otherwise: for a machine whose logind removes what a user has there with the user's
    last session (RemoveIPC), or one whose memory is rationed below what the folder's size says.
    """
    if not os.path.ismount(memory) or not os.access(memory, os.W_OK | os.X_OK):
        return False
    facts = os.statvfs(memory)
    return facts.f_bavail * facts.f_frsize > 4 << 30 and not facts.f_flag & os.ST_NOEXEC


if sys.platform == "linux" and _is_roomy("/dev/shm"):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", "/dev/shm")
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"  # for children, too


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def keychain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A keychain for this test and its children: the file of its entries."""
    import keyring

    before = keyring.get_keyring()
    file = tmp_path / "keychain.json"
    monkeypatch.setenv("TEST_KEYCHAIN", str(file))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.keychain.FileKeychain")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    keyring.core.init_backend()
    yield file
    keyring.set_keyring(before)


# ---------------------------------------------------------------------------------------------------------- PostgreSQL


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[str]:
    """A PostgreSQL of this test process's own: its SQLAlchemy URL."""
    server = postgresql.server()
    yield server.get_uri().replace("postgresql://", "postgresql+asyncpg://")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server.cleanup()


@pytest.fixture
def postgres(_postgres_server: str) -> str:
    """Its URL, and no journal in it yet."""
    import asyncpg

    async def emptied() -> None:
        connection = await asyncpg.connect(_postgres_server.replace("+asyncpg", ""))
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for table in tables:
            await connection.execute(f'DROP TABLE "{table["tablename"]}"')
        await connection.close()

    with ThreadPoolExecutor(1) as pool:  # a loop of its own: the test's is running
        pool.submit(asyncio.run, emptied()).result()
    return _postgres_server


# ------------------------------------------------------------------------------------------- what a test costs, it says

_BROWSERS = ("chromium", "playwright")
_OF_LIBRARIES = {"uname"}  # what the platform module asks, the first time that a driver wants to know


class _Cost:
    """Which commands the running test has started, itself or through fixtures of its own.

    What a fixture of the session or of a module starts serves many tests, and is none of theirs.
    """

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.listening = False
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        ours = event == "tests.process" or (event == "subprocess.Popen" and arguments[0] not in _OF_LIBRARIES)
        if self.listening and ours:
            self.commands.append(str(arguments[0]))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.commands.clear()
        self.listening = True
        try:
            return (yield)
        finally:
            self.listening = False

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        before = self.listening
        self.listening = before and fixturedef.scope == "function"
        try:
            return (yield)
        finally:
            self.listening = before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        result = yield
        wanted = {"browser" if any(word in command for word in _BROWSERS) else "process" for command in self.commands}
        missing = sorted(name for name in wanted if not item.get_closest_marker(name))
        if missing:
            what = f"it starts {self.commands[0]!r}"
            pytest.fail(f"{what}: mark it {' and '.join(missing)} (pyproject.toml)", pytrace=False)
        return result


def pytest_collection_finish() -> None:
    """What all tests share stays: nobody looks through it for garbage again."""
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: half of what tests do with processes, sockets and databases is waiting for them."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a matrix, the first row is a fast test; the others are slow."""
    seen: set[str] = set()
    for item in items:
        if item.get_closest_marker("matrix"):
            function = item.nodeid.partition("[")[0]
            if function in seen:
                item.add_marker("slow")
            seen.add(function)
