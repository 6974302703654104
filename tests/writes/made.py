"""Writes made by hand: a plan, an identity, a draft, without an ERP that they would go to."""

import time
import uuid
from typing import Any

from fraction_mcp.erp.endpoints import CREATE_PART, PARTS, System
from fraction_mcp.operations.writes.identity import ErpIdentity
from fraction_mcp.operations.writes.plan import FrozenPlan
from fraction_mcp.operations.writes.readback import FrozenLook, LookFor
from fraction_mcp.operations.writes.write import Draft

HERE = ErpIdentity(System.FRACTIONERP, "https://erp.test", "1/Acme", "clerk@acme.test")
ELSEWHERE = ErpIdentity(System.FRACTIONERP, "https://erp.test", "2/Another", "clerk@acme.test")


def frozen_plan(**changes: Any) -> FrozenPlan:
    facts: dict[str, Any] = {
        "tool": "create_part",
        "arguments": {},
        "title": "A write",
        "system": System.FRACTIONERP,
        "endpoint": CREATE_PART.key,
        "path": {},
        "method": "POST",
        "target": "/parts",
        "content": "{}",
        "preview": (),
        "warnings": (),
        "look": FrozenLook.of(LookFor(PARTS, {}), replaces=False),
    }
    return FrozenPlan(**{**facts, **changes})


def draft(**changes: Any) -> Draft:
    facts: dict[str, Any] = {"identity": HERE, "digest": "d" * 64, "plan": frozen_plan(), "asker": "somebody"}
    facts |= {"key": uuid.uuid4().hex, "asked_by": "a test", "expires_at": time.time() + 3600}
    return Draft(**{**facts, **changes})
