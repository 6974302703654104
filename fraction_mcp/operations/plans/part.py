"""The plan for a part (`fractionerp-rest-api.txt`, Create Part)."""

from collections.abc import Mapping

from fraction_mcp.erp import endpoints
from fraction_mcp.erp.records import Record
from fraction_mcp.errors import Duplicate
from fraction_mcp.operations.candidates import PART
from fraction_mcp.operations.context import ErpContext
from fraction_mcp.operations.naming import id_of
from fraction_mcp.operations.plans.named import given
from fraction_mcp.operations.writes.plan import Change, Plan, thing
from fraction_mcp.operations.writes.readback import LookFor
from fraction_mcp.values.characters import spelt_out
from fraction_mcp.values.text import exactly, normalised, quoted

__all__ = ["part_plan"]


async def part_plan(context: ErpContext, *, part_number: str, fields: Mapping[str, str]) -> Plan:
    """Create Part. FractionERP rejects a number that exists: nobody is asked about one that does. One that differs in
    case or spaces it may take."""
    body = {"part_number": part_number, **given(**fields)}
    alike = await context.lookup.alike(PART, part_number)
    same = [part for part in alike if str(part.get("part_number")).strip() == part_number]
    exact = [part for part in alike if normalised(part.get("part_number")) == normalised(part_number)]
    warnings = [
        f"{quoted(str(part['part_number']), 200)} exists already {id_of(part)}; FractionERP refuses a second."
        for part in exact
    ]
    warnings += [
        f"{quoted(str(part['part_number']), 200)} {id_of(part)} differs from this number in case or spaces only."
        for part in alike
        if part not in exact
    ]
    return Plan(
        title=f"Create the part {exactly(part_number)}",
        endpoint=endpoints.CREATE_PART,
        body=body,
        preview=[
            *(Change(field=name, before=None, after=spelt_out(value)) for name, value in body.items()),
            *([] if "uom" in body else [Change(field="uom", before=None, after="EA (FractionERP's default)")]),
        ],
        warnings=warnings,
        reads=[thing("part", part_number)],
        writes=[thing("part", part_number)],
        basis={"alike": sorted(str(part.get("id")) for part in alike)},
        refusal=_exists(part_number, same[0]) if same else None,
        look=LookFor(
            endpoints.PARTS,
            {"part_number": part_number},
            unlike=given(**fields),
            query={"search": part_number, "per_page": 100, "page": 1},
            known=[part.get("id") for part in exact],
        ),
    )


def _exists(part_number: str, record: Record) -> Duplicate:
    return Duplicate(
        f"the part {exactly(part_number)} exists already {id_of(record)}, and FractionERP refuses a second",
        system=endpoints.CREATE_PART.system,
        operation=endpoints.CREATE_PART.name,
        hint="get_part reads it. Ask the user for another number, if a new part is meant.",
    )
