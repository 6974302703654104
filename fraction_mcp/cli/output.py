"""What commands print, whatever character set stdout and stderr have: nothing raises, and nothing is lost.

A command may have carried a decision out before it prints what came of it, so a character that a pipe does not know
must never end it. Signs of our own have spellings in ASCII; any other character stands there as its escape.
"""

import codecs
import io
import json
import sys
from typing import Any

__all__ = ["as_json_text", "speak_any_character_set"]

_HANDLER = "fraction-mcp"
_SPELLINGS = {
    "→": "->", "−": "-", "–": "-", "—": "-", "×": "x", "…": "...", "’": "'", "‘": "'", "“": '"', "”": '"', "›": ">",
    "¶": "|", "─": "-", "█": "#", "░": ".",
}  # fmt: skip


def speak_any_character_set() -> None:
    """Once, before anything is printed. stdout and stderr keep their character sets."""
    codecs.register_error(_HANDLER, _spelt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _spelt(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unknown = error.object[error.start : error.end]
    return "".join(
        _SPELLINGS.get(character) or character.encode("ascii", "backslashreplace").decode() for character in unknown
    ), error.end


def as_json_text(value: Any) -> str:
    """JSON for stdout, exact in any character set: in one that is not UTF-8 everything beyond ASCII is escaped."""
    whole = (sys.stdout.encoding or "").lower().replace("-", "") in {"utf8", "utf8sig"}
    return json.dumps(value, indent=2, ensure_ascii=not whole)
