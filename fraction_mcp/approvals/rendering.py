"""Pages as bytes: the templates, which are the only place where text becomes HTML, and what stands beside them.

Knows neither who looks nor at what.
"""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import anyio
import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

__all__ = ["fields_of", "page", "static", "templates"]

_HERE = Path(__file__).parent
_STATIC = {
    "inbox.css": "text/css",
    "inbox.js": "text/javascript",
    "shut.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_LARGEST_FORM = 8_192


def templates(*before: Path) -> jinja2.Environment:
    """The inbox's templates, behind those of the folders `before`."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([*before, _HERE / "templates"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_templates = templates()


def page(template: str, *, status: int = 200, **values: Any) -> Response:
    return HTMLResponse(_templates.get_template(template).render(**values), status)


async def static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return PlainTextResponse("Not found\n", 404)
    return Response(await anyio.Path(_HERE / "static" / name).read_bytes(), media_type=_STATIC[name])


async def fields_of(request: Request) -> dict[str, str]:
    """The first value of each field; nothing from a body that no form of ours sends."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_FORM:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
