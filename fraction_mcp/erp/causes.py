"""Why no connection came about, in words: the first cause that the operating system or TLS gave, without any address.

Knows errors of sockets and certificates, however deep libraries have wrapped them.
"""

import errno
import socket
import ssl
from collections.abc import Iterator

__all__ = ["cause_of"]

_WORDS = {
    errno.ECONNREFUSED: "connection refused: nothing listens there",
    errno.ETIMEDOUT: "no answer",
    errno.EHOSTUNREACH: "no route to it",
    errno.ENETUNREACH: "no network",
    errno.ECONNRESET: "the connection was broken off",
    errno.EPIPE: "the connection was broken off",
}
_CERTIFICATES = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed",
    19: "its certificate is of an issuer that is not trusted here",
    20: "its certificate is of an issuer that is not trusted here",
    21: "its certificate is of an issuer that is not trusted here",
    62: "its certificate is another host's",
    64: "its certificate is another host's",
}


def cause_of(error: BaseException) -> str:
    """Empty words never: what is not known is told by the error's kind."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _CERTIFICATES.get(cause.verify_code, f"its certificate is no good ({cause.verify_message})")
        if isinstance(cause, socket.gaierror):
            return "name not found" if cause.errno in _NO_NAME else "its name could not be looked up"
        if isinstance(cause, ssl.SSLError):
            return "TLS failed"
        if isinstance(cause, OSError) and cause.errno in _WORDS:
            return _WORDS[cause.errno or 0]
        if isinstance(cause, TimeoutError):
            return "no answer"
    return f"no connection ({type(error).__name__})"


_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The innermost causes first: what lies outside them is some library's name for it."""
    if error is None:
        return
    yield from _causes(error.__cause__ or error.__context__)
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _causes(each)
    yield error
