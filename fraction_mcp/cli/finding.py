"""A write by its id, or by the beginning of one that no other write's has."""

from fraction_mcp.errors import AmbiguousReference, WriteNotFound
from fraction_mcp.operations.writes.journal import Journal
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.values.text import quoted

__all__ = ["found_write"]

_LOOKED_THROUGH = 5_000
_SHORTEST = 3


async def found_write(journal: Journal, text: str) -> Write:
    """Raises WriteNotFound, or AmbiguousReference with the ids that begin so."""
    write = await journal.get(text)
    if write is not None:
        return write
    begin = text.lower()
    near = [each for each in await journal.latest(limit=_LOOKED_THROUGH) if begin and each.id.startswith(begin)]
    if len(near) == 1 and len(begin) >= _SHORTEST:
        return near[0]
    if near:
        ids = [each.id for each in near[:10]]
        more = " ..." if len(near) > len(ids) else ""
        raise AmbiguousReference(
            f"{quoted(text)} is not enough to name one write: {', '.join(ids)}{more} begin so"
            if len(near) > 1
            else f"{quoted(text)} is too short to name a write: give {_SHORTEST} characters or more",
            next_step="Give more of it.",
            status="ambiguous",
            candidates=ids,
        )
    raise WriteNotFound(f"there is no write {quoted(text)} in the journal", hint="`fraction-mcp writes` lists them.")
