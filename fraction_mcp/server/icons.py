"""The pictures that hosts may show beside what is listed: a few strokes each, since every list carries them as text."""

from base64 import b64encode

from mcp.types import Icon

__all__ = ["CREATES", "PROMPT", "READS", "REPLACES", "RESOURCE", "SERVER"]


def _drawn(inside: str) -> Icon:
    """White strokes on the green square of the approval inbox, eight units wide."""
    picture = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path fill="#0f5f4a" d="M0 0h8v8H0z"/>'
        f'<path fill="none" stroke="#fff" d="{inside}"/></svg>'
    )
    return Icon(src=f"data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}", mime_type="image/svg+xml")


SERVER = _drawn("M2 4l1.5 1.5L6 2.5")  # a tick; it stands in every result of 2026-07-28
READS = _drawn("M2 2.5h4M2 4h4M2 5.5h2")  # lines of text
CREATES = _drawn("M4 2v4M2 4h4")  # a plus
REPLACES = _drawn("M2 6l.5-1.5L5.5 1.5l1 1L3.5 5.5z")  # a pencil
PROMPT = _drawn("M1.5 2h5v3h-3L2.5 6.5V5h-1z")  # a speech bubble
RESOURCE = _drawn("M2 1.5h2.5L6 3v3.5H2z")  # a sheet
