"""The whole sandbox as one ASGI application, and its controls.

Knows how the two ERPs, the faults and the request log are put together. Refuses to know what the ERPs do.
"""

import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from .accounts import (
    CLIENT_ID,
    CLIENT_SECRET,
    COMPANY,
    EMAIL,
    FRACTION_PATH,
    FRACTTAL_PATH,
    FRACTTAL_TOKEN_PATH,
    PASSWORD,
)
from .faults import KINDS, Faults
from .fraction import FractionApp
from .fracttal import FracttalApp
from .gate import Gate
from .requestlog import RequestLog
from .settings import DEFAULTS
from .store import Store

_PAGE = """\
{company}: an embedded FractionERP and Fracttal, for tests and demonstrations. Nothing here is real.

FractionERP  {base}{fraction}
  curl -s {base}{fraction}/auth/login -H 'Content-Type: application/json' \\
       -d '{{"email": "{email}", "password": "{password}"}}'
  curl -s '{base}{fraction}/parts?search=widget' -H 'Authorization: Bearer TOKEN'

Fracttal     {base}{fracttal}
  curl -s {base}{token} -u {client}:{secret} -d grant_type=client_credentials
  curl -s {base}{fracttal}/warehouses -H 'Authorization: Bearer TOKEN'

Controls     GET, POST, DELETE {base}/_sandbox/faults     what shall go wrong
             GET, DELETE       {base}/_sandbox/requests   what was asked so far
             GET, POST         {base}/_sandbox/settings   token lifetimes and rate limits
"""


class Sandbox(Starlette):
    """The gate is the outermost layer of all: a dropped connection must not pass Starlette's own error handling."""

    def build_middleware_stack(self) -> ASGIApp:
        return Gate(super().build_middleware_stack(), self.state.faults, self.state.requests, self.state.store)


def open_sandbox(path: Path, *, parts: int = 600, seed: int = 1, reset: bool = False) -> Starlette:
    """The two ERPs on the SQLite file `path`, which is made, with its folder, if it is not there.

    `parts` and `seed` shape a company when it is made; one that exists is served as it is, unless `reset` is given.
    Raises OSError if the file cannot be made, ValueError if `parts` is below 1.
    """
    store = Store(Path(path), parts=parts, seed=seed, reset=reset)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    app = Sandbox(lifespan=lifespan)
    app.state.store = store
    app.state.faults = Faults(file=store)
    app.state.requests = RequestLog()
    for name, value in DEFAULTS.items():
        setattr(app.state, name, value)
    app.routes.extend(
        [
            _mount(FRACTION_PATH, FractionApp(store, app.state)),
            _mount("/fracttal", FracttalApp(store, app.state)),
            Route("/_sandbox/faults", _faults, methods=["GET", "POST", "DELETE"]),
            Route("/_sandbox/requests", _requests, methods=["GET", "DELETE"]),
            Route("/_sandbox/settings", _settings, methods=["GET", "POST"]),
            Route("/", _page),
        ]
    )
    return app


def _mount(path: str, app: ASGIApp) -> Mount:
    """Everything below the path, even an encoded line break, which a plain mount leaves to the page-not-found text."""
    mount = Mount(path, app=app)
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return mount


def serve_sandbox(
    path: Path,
    *,
    port: int = 8790,
    parts: int = 600,
    seed: int = 1,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve the sandbox over HTTP on 127.0.0.1 until interrupted, and call `ready` once it listens.

    Prints nothing on stdout. Raises OSError for a port in use.
    """
    import uvicorn  # noqa: PLC0415 - the rest of the sandbox runs in process, without a server

    app = open_sandbox(path, parts=parts, seed=seed)
    # The protocol is named, since asyncio turns Nagle's algorithm off only then: else every answer waits 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        ready()
        uvicorn.Server(uvicorn.Config(app, log_level="warning", http="h11")).run(sockets=[listener])


async def _faults(request: Request) -> Response:
    faults: Faults = request.app.state.faults
    if request.method == "DELETE":
        faults.clear()
    elif request.method == "POST":
        try:
            fault: dict[str, Any] = await _object(request)
            faults.arm(**fault)
        except (TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)
    return JSONResponse({"armed": faults.described(), "kinds": KINDS}, 201 if request.method == "POST" else 200)


async def _requests(request: Request) -> Response:
    log: RequestLog = request.app.state.requests
    if request.method == "DELETE":
        log.clear()
    return JSONResponse({"requests": log.described()})


async def _settings(request: Request) -> Response:
    state = request.app.state
    if request.method == "POST":
        try:
            for name, value in _numbers(await _object(request)).items():
                setattr(state, name, value)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
    return JSONResponse({name: getattr(state, name) for name in DEFAULTS})


def _numbers(data: dict[str, object]) -> dict[str, float]:
    """All of them are looked at before one of them is taken."""
    numbers = {}
    for name, value in data.items():
        if name not in DEFAULTS:
            raise ValueError(f"no setting is called {name!r}; there are {', '.join(DEFAULTS)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f"{name} must be a number of at least 0")
        numbers[name] = value
    return numbers


async def _object(request: Request) -> dict[str, object]:
    try:
        value = json.loads(await request.body())
    except ValueError:
        raise ValueError("the body must be JSON") from None
    if not isinstance(value, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - it came from outside
    return value


async def _page(request: Request) -> Response:
    return PlainTextResponse(
        _PAGE.format(
            company=COMPANY, base=str(request.base_url).rstrip("/"), fraction=FRACTION_PATH, fracttal=FRACTTAL_PATH,
            token=FRACTTAL_TOKEN_PATH, email=EMAIL, password=PASSWORD, client=CLIENT_ID, secret=CLIENT_SECRET,
        )
    )  # fmt: skip
