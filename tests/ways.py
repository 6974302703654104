"""The embedded ERPs on a port of this process, for commands that sign in as to any other."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from fraction_mcp import sandbox


class Served:
    """`app.state.faults` and `.store` are at hand; `base` is the address."""

    def __init__(self, app: Any, port: int) -> None:
        self.app = app
        self.base = f"http://127.0.0.1:{port}"

    def environment(self) -> dict[str, str]:
        return sandbox.environment(self.base)


@contextmanager
def served(company: Path, **options: Any) -> Iterator[Served]:
    """`options` are uvicorn's, a certificate for one."""
    app = sandbox.open_sandbox(company, parts=40)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="critical", lifespan="off", **options)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Served(app, listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(10)
            app.state.store.close()
