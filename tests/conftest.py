"""What every test leans on: asynchronous ones run on asyncio, as the server does, and no keychain of the machine's is
ever asked: there is none, but for tests that bring one of their own (`tests/keychain.py`)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

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
