"""A person's means, from outside: approving a write in a terminal, and looking whether the ERP holds it."""

import json
import os
import pty
import select
import subprocess
import time
from pathlib import Path

from clients.conversation import server_command

PATIENCE_S = 60


class NotApproved(Exception):
    """The terminal did not come to its end as it should."""


def environment(state: Path) -> dict[str, str]:
    """What every process of this user has: the state folder, and no account."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "FRACTION_MCP_STATE_DIR": str(state), "TERM": "xterm", "NO_COLOR": "1", "PYTHONUTF8": "1"}


def approves(state: Path, write_id: str) -> None:
    """`fraction-mcp approve ID` in a pseudo-terminal, `yes` typed at its question. Raises NotApproved."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        server_command("approve", write_id, "--sandbox"),
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment(state), start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen, typed, deadline = "", False, time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                piece = os.read(ours, 65_536).decode("utf-8", "replace")
            except OSError:  # Linux's way to say that nobody holds the other end
                break
            seen += piece
            if not typed and "Type yes: " in seen:
                os.write(ours, b"yes\n")
                typed = True
        if typed and process.wait(PATIENCE_S) == 0:
            return
    except subprocess.TimeoutExpired as error:
        raise NotApproved("the terminal never ended") from error
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    raise NotApproved(seen.strip().splitlines()[-1] if seen.strip() else "the terminal stayed empty")


def enquiries(state: Path, reference: str) -> int:
    """How many enquiries of that customer's reference the ERP holds."""
    told = subprocess.run(
        server_command("call", "--sandbox", "--json", "list_records", "kind=contracts", f"search={reference}"),
        capture_output=True, text=True, encoding="utf-8", check=True, timeout=PATIENCE_S, env=environment(state),
    )  # fmt: skip
    total: int = json.loads(told.stdout)["coverage"]["total"]
    return total
