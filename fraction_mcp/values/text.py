"""Text that anyone may have typed, fit for a sentence of ours; and how names are compared."""

import json
import re

from fraction_mcp.values.characters import spelt_out, unseen

__all__ = ["clean", "exactly", "normalised", "quoted"]


_SPACES = re.compile(r"[\s\u2800]+")
_QUOTE_OF_ITS_OWN = re.compile(r"(?<![^\W_])'|'(?![^\W_])")  # not between two letters or digits


def clean(text: str, limit: int = 200) -> str:
    """Text that anyone may have typed into an ERP, fit for a sentence of ours: no control, bidirectional or other
    unseen characters, cut. For what is sent, see `characters.spelt_out`, which leaves nothing out."""
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text:  # most are
        return text.strip()
    text = _SPACES.sub(" ", text)
    if not (text.isascii() and text.isprintable()):
        text = _SPACES.sub(" ", "".join(c for c in text if not unseen(c)))
    text = text.strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def normalised(text: object) -> str:
    """How names are compared: case and surrounding space aside."""
    return clean(str(text), 500).casefold()


def quoted(text: str, limit: int = 60) -> str:
    """A foreign name inside a sentence of ours: cleaned, cut, in quotes that it cannot close.

    An apostrophe within a word (`O'RING-22`) looks like the end of nothing: it stays, in quotes of the other kind,
    since an assistant gives a name back as it reads it.
    """
    shown = clean(text, limit)
    if "'" in shown and '"' not in shown and not _QUOTE_OF_ITS_OWN.search(shown):
        return f'"{shown}"'
    return "'" + shown.replace("'", "’") + "'"


def exactly(text: str) -> str:
    """A one-line text that is sent, inside a sentence of ours: whole, spelt out, in quotes that it cannot close."""
    text = spelt_out(text)
    return json.dumps(text, ensure_ascii=False) if "'" in text or "\\" in text else f"'{text}'"
