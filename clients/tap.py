"""Stands between a client and the server, passes every byte on and writes every line down.

    python tap.py LOG COMMAND [ARGUMENT ...]

With TAP_WAIT_S in its environment it starts the server so many seconds late, as a cold machine does.

What a framework's own API shows of a call is not what it sends: only the line on the wire tells whether an optional
argument was left out or filled with null. Each line of LOG is `{"from": "client" | "server", "line": ...}`. Several
processes may write to one LOG: frameworks start a server for each call.
"""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO


def passes(source: IO[bytes], target: IO[bytes], log: int, who: str) -> None:
    """Copy lines until the source ends, then close the target: an end must arrive as well."""
    try:
        for line in source:
            record = json.dumps({"from": who, "line": line.decode("utf-8", "replace").rstrip("\n")})
            os.write(log, record.encode() + b"\n")
            target.write(line)
            target.flush()
    except BrokenPipeError:
        pass
    finally:
        with suppress(BrokenPipeError):
            target.close()


def main(log_file: str, command: list[str]) -> int:
    time.sleep(float(os.environ.pop("TAP_WAIT_S", "0")))
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin
    assert server.stdout
    threading.Thread(target=passes, args=(sys.stdin.buffer, server.stdin, log, "client"), daemon=True).start()
    passes(server.stdout, sys.stdout.buffer, log, "server")
    return server.wait()


if __name__ == "__main__":
    code = main(sys.argv[1], sys.argv[2:])
    os._exit(code)  # the thread may still wait for a client that has gone
