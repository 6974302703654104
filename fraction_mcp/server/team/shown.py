"""How the team's pages are made: the inbox's look, and what every one of them says of this server."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from fraction_mcp.approvals.web import templates

__all__ = ["Shown", "team_css"]

_HERE = Path(__file__).parent


async def team_css(_: Request) -> Response:
    """What these pages have beside the inbox's look."""
    return Response(await anyio.Path(_HERE / "static" / "team.css").read_bytes(), media_type="text/css")


def _templates() -> jinja2.Environment:
    return templates(_HERE / "templates")


@dataclass(frozen=True, slots=True)
class Shown:
    """`erp` is how people know the ERP that they sign in to. `writes` is who says yes to each write: a person in the
    inbox or the question that an assistant shows, the assistant's own second call, or nobody, since none are made."""

    erp: str = "FractionERP"
    writes: Literal["human", "two_step", "none"] = "human"
    _templates: jinja2.Environment = field(default_factory=_templates, repr=False)

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        made = self._templates.get_template(template)
        return HTMLResponse(made.render(erp=self.erp, writes=self.writes, **values), status)
