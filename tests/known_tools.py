"""What the SDK's client learns of a server's tools, learnt once for each process instead of once for each session.

A client lists the tools at its first call, because it checks what comes back against the output schema, and checks each
schema against the meta-schema before: dearer than most calls, and here a session lives for one test. What comes back is
checked all the same. That a server lists these schemas is shown in tests/tools/test_declarations.py.
"""

import json
from typing import Any

from mcp import Client
from mcp.client.session import ClientSession

from fraction_mcp.config import Settings
from fraction_mcp.tools.catalogue import offered


def knows_the_tools(client: Client, settings: Settings) -> None:
    """A client of a server with these settings, as if it had listed the tools."""
    structured = settings.structured == "on"
    client.session._tool_output_schemas |= {
        spec.name: spec.output_schema if structured else None for spec in offered(settings).values()
    }


def _keep_what_is_compiled() -> None:
    """From now on every client of this process finds a schema checked that another one has checked."""
    compiled: dict[tuple[str, str], Any] = {}
    compiling = ClientSession._output_schema_validator

    def kept(session: ClientSession, name: str, schema: dict[str, Any]) -> Any:
        key = (name, json.dumps(schema, sort_keys=True))
        if key not in compiled:
            compiled[key] = compiling(session, name, schema)
        return compiled[key]

    ClientSession._output_schema_validator = kept  # type: ignore[method-assign, assignment]


_keep_what_is_compiled()
