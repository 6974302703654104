"""How servers and the inbox of one state folder know one another: a port and a secret in a file of their user's alone.

Neither is taken at its word. The inbox proves that it holds the secret before it is used, since anybody may have got
its port meanwhile; the server proves the same for a number that the inbox has just made, and that counts once. The
secret itself is sent to nobody.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio

from fraction_mcp.private_files import private_file

__all__ = ["Known", "Proofs", "ask", "forget", "new_known", "read_known", "say_known"]

_FILE = "inbox.json"
_PATIENCE_S = 3.0
_LONGEST_ANSWER = 4_096
_MOST_NUMBERS = 20


@dataclass(frozen=True, slots=True, repr=False)
class Known:
    """Where the inbox listens, and the secret by which it is known."""

    port: int
    secret: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def proof(self, who: str, *words: str) -> str:
        text = "\n".join((who, str(self.port), *words))
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def new_known(port: int) -> Known:
    return Known(port, secrets.token_urlsafe(32))


def say_known(folder: Path, known: Known) -> None:
    new = private_file(folder / f"{_FILE}-{secrets.token_hex(4)}")
    new.write_text(json.dumps({"port": known.port, "secret": known.secret, "pid": os.getpid()}), encoding="utf-8")
    new.replace(folder / _FILE)


def read_known(folder: Path) -> Known | None:
    """None where none is known. Raises ConfigError for a file that another user could have written."""
    if not (folder / _FILE).exists():
        return None
    try:
        stored = json.loads(private_file(folder / _FILE).read_text(encoding="utf-8"))
        return Known(int(stored["port"]), str(stored["secret"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(folder: Path, known: Known) -> None:
    if read_known(folder) == known:
        (folder / _FILE).unlink(missing_ok=True)


class Proofs:
    """The inbox's side."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._numbers: list[str] = []

    def answer(self, number: str) -> dict[str, str]:
        """That we hold the secret, and a number for the other side to prove the same with."""
        ours = secrets.token_urlsafe(16)
        self._numbers = [*self._numbers[1 - _MOST_NUMBERS :], ours]
        return {"proof": self._known.proof("inbox", number), "number": ours}

    def holds(self, number: str, proof: str, *words: str) -> bool:
        """Whether whoever asks for this holds the secret. A number counts once."""
        if number not in self._numbers:
            return False
        self._numbers.remove(number)
        return hmac.compare_digest(self._known.proof("server", number, *words).encode(), proof.encode())


async def ask(known: Known, what: str = "") -> bool:
    """Whether the inbox is there, and proves to be it; then, where `what` is named (`show`), that it does it."""
    try:
        with anyio.fail_after(_PATIENCE_S):
            number = secrets.token_urlsafe(16)
            answer = await _post(known, f"/known?number={number}")
            if not hmac.compare_digest(known.proof("inbox", number).encode(), answer.get("proof", "").encode()):
                return False
            if not what:
                return True
            theirs = answer.get("number", "")
            done = await _post(known, f"/known/{what}?number={theirs}&proof={known.proof('server', theirs, what)}")
            return "done" in done
    except (OSError, TimeoutError, ValueError, RecursionError, anyio.EndOfStream, anyio.BrokenResourceError):
        return False


async def _post(known: Known, target: str) -> Mapping[str, str]:
    """One POST to the loopback, and its JSON. The ERPs' client would be much to load for this."""
    async with await anyio.connect_tcp("127.0.0.1", known.port) as stream:
        lines = (f"POST {target} HTTP/1.1", f"Host: 127.0.0.1:{known.port}", "Content-Length: 0", "Connection: close")
        await stream.send("\r\n".join((*lines, "", "")).encode())
        answer = b""
        async for piece in stream:
            answer += piece
            if len(answer) > _LONGEST_ANSWER:
                raise ValueError("too long an answer")
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        return {}
    parsed = json.loads(body)
    return {str(name): str(value) for name, value in parsed.items()} if isinstance(parsed, dict) else {}
