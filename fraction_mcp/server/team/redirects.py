"""Where a browser may be sent with a code: what counts as registered, and how an answer is put on the address.

Addresses are compared as they are spelt, and never first put in order by a parser that another program may disagree
with. Of a loopback address the port does not count: whoever listens there takes a free one (RFC 8252, 7.3).
"""

import re
from collections.abc import Iterable
from urllib.parse import urlencode

__all__ = ["answered", "is_usable", "matching"]

_PORT = r"(?::[0-9]{1,5})?"
_REST = r"(?P<rest>(?:[/?][\x21-\x7e]*)?)"
_LOOPBACK = re.compile(rf"(?P<host>http://(?:127\.0\.0\.1|localhost|\[::1\])){_PORT}{_REST}")
_ENCRYPTED = re.compile(rf"https://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]){_PORT}{_REST}")
_NOWHERE = re.compile(r"[#\\\"<>^`{|}]")  # a fragment, and what programs read differently


def is_usable(uri: str) -> bool:
    """https, or http to this very machine; nothing in it that programs read differently."""
    return not _NOWHERE.search(uri) and bool(_ENCRYPTED.fullmatch(uri) or _LOOPBACK.fullmatch(uri))


def matching(uri: str, registered: Iterable[str]) -> bool:
    """Whether `uri` is one of these, the port of a loopback address aside."""
    return is_usable(uri) and any(_portless(uri) == _portless(each) for each in registered)


def answered(uri: str, **answer: str | None) -> str:
    """The address with the answer added to its query; what is None is left out."""
    query = urlencode({name: text for name, text in answer.items() if text is not None})
    return f"{uri}{'&' if '?' in uri else '?'}{query}"


def _portless(uri: str) -> str:
    here = _LOOPBACK.fullmatch(uri)
    return here["host"] + (here["rest"] or "/") if here else uri
