"""What every page of ours has in common, whoever may come to it: its headers, how much of a form is read, its look.

The inbox of one machine and the pages of a team's server share it. Knows HTML and HTTP; who may come in is each one's
own.
"""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import anyio
import jinja2
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Message, Send

__all__ = ["closed_off", "page", "read_form", "static", "templates"]

_HERE = Path(__file__).parent
_STATIC = {
    "inbox.css": "text/css",
    "entered.js": "text/javascript",
    "inbox.js": "text/javascript",
    "shut.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_LARGEST_FORM = 8_192
_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
_FORMS = "form-action 'self'; "
_FRAMES = "base-uri 'none'; frame-ancestors 'none'"
_HEADERS = {
    "content-security-policy": _POLICY + _FORMS + _FRAMES,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_ON_THE_WAY = {
    "content-security-policy": _POLICY + _FRAMES,
    "cross-origin-opener-policy": "unsafe-none",
}


def closed_off(send: Send, *, on_the_way: bool = False) -> Send:
    """`send`, with the headers that close a page off on every answer.

    `on_the_way`: of a page that another site sends a person to, and that sends them back. Browsers hold `form-action`
    against every redirect that a form leads to, and a client's address may lead on to where nobody here knows (an
    editor's own scheme, another of its hosts); and a client that opened a window for it waits for that one to return.
    """
    headers = {**_HEADERS, **(_ON_THE_WAY if on_the_way else {})}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return send_with_headers


async def read_form(request: Request) -> dict[str, str]:
    """The first value of each field; nothing from a body that no form of ours sends."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_FORM:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


@cache
def templates(*before: Path) -> jinja2.Environment:
    """The templates of the inbox, behind those of the folders `before`: whatever stands in a text is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([*before, _HERE / "templates"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, *, status: int = 200, **values: Any) -> Response:
    """A page of the inbox."""
    return HTMLResponse(templates().get_template(template).render(**values), status)


async def static(request: Request) -> Response:
    """The look and the scripts, which no page holds in itself."""
    name = request.path_params["name"]
    if name not in _STATIC:
        return PlainTextResponse("Not found\n", 404)
    return Response(await anyio.Path(_HERE / "static" / name).read_bytes(), media_type=_STATIC[name])
