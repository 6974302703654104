"""A keychain of the tests' own, a file that this process and its children share: the machine's is never touched.

A child finds it by PYTHON_KEYRING_BACKEND, keyring's own variable, and by the path to this file.
"""

import json
import os
from pathlib import Path
from typing import ClassVar

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

FILE = "TEST_KEYCHAIN"
LOCKED = "TEST_KEYCHAIN_LOCKED"


class FileKeychain(KeyringBackend):
    """Entries in the file that TEST_KEYCHAIN names; locked where TEST_KEYCHAIN_LOCKED is set."""

    priority: ClassVar[float] = 1
    name = "the tests' keychain"

    def _entries(self) -> dict[str, str]:
        if os.environ.get(LOCKED):
            raise KeyringLocked("canary-words-of-a-backend")
        path = Path(os.environ[FILE])
        return json.loads(path.read_text("utf-8")) if path.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._entries().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._kept({**self._entries(), f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        entries = self._entries()
        if f"{service} {username}" not in entries:
            raise PasswordDeleteError("not there")
        del entries[f"{service} {username}"]
        self._kept(entries)

    def _kept(self, entries: dict[str, str]) -> None:
        Path(os.environ[FILE]).write_text(json.dumps(entries), "utf-8")
