"""A process that a warm one stands in for: `warm_launcher.py SOCKET WORD...`. Not a test.

It hands over its streams, passes on the signals that it gets, and ends as the other one ends.
"""

import array
import json
import os
import signal
import socket
import sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    asked = {"words": sys.argv[2:], "environment": dict(os.environ), "session": False, "terminal": False}
    asked["folder"] = os.getcwd()  # noqa: PTH109 - pathlib takes as long to load as all the rest
    content = json.dumps(asked).encode() + b"\n"
    sent = server.sendmsg([content], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
    server.sendall(content[sent:])
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    answers = server.makefile()
    pid = int(answers.readline())
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, lambda number, _: os.kill(pid, number))
    code = int(answers.readline() or 1)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
