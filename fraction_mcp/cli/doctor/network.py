"""The way to one address: name, proxy, connection, TLS, and what time the other side has.

With sockets alone: each step is taken by itself, so that the one that fails is the one that is told. What is sent is a
HEAD request without credentials.
"""

import http.client
import re
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from fraction_mcp.cli.doctor.check import Check, failure, ok, warning
from fraction_mcp.config import stays_here
from fraction_mcp.erp.causes import cause_of
from fraction_mcp.tls import trusted

__all__ = ["checks"]

_PATIENCE_S = 8.0
_APART_S = 120
# X.509's Validity (RFC 5280, 4.1): two times, of which the second is the certificate's end.
_VALIDITY = re.compile(rb"\x30[\x1e-\x22](?:\x17\x0d\d{12}Z|\x18\x0f\d{14}Z)(?:\x17\x0d(\d{12})Z|\x18\x0f(\d{14})Z)")


class _StoppedError(Exception):
    """No later step can be taken; the checks so far say why."""


def checks(name: str, url: str) -> list[Check]:
    """The steps to one address, up to the first that fails. `name` says whose address it is."""
    results: list[Check] = []
    with suppress(_StoppedError):
        for check in _steps(name, urlsplit(url)):
            results.append(check)
            if check.state == "failure":
                raise _StoppedError
    return results


def _steps(name: str, url: SplitResult) -> Iterator[Check]:
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    proxy = _proxy(url)
    if proxy is not None:
        yield _named(f"{name} proxy", proxy.hostname or "", "HTTPS_PROXY")
        yield _connected(f"{name} proxy", proxy.hostname or "", proxy.port or 80, "the proxy's address in HTTPS_PROXY")
    else:
        yield _named(f"{name} name", host, "the address, and this machine's DNS")
        yield _connected(
            f"{name} connection", host, port, "the address, a firewall, or HTTPS_PROXY where one is needed"
        )
    yield from _request_checks(name, url, host, port, proxy)


def _proxy(url: SplitResult) -> SplitResult | None:
    """The proxy that httpx would take (the environment's or the system's, past it for what NO_PROXY names)."""
    if stays_here(url.geturl()) or proxy_bypass(url.hostname or ""):
        return None
    proxies = getproxies()
    named = proxies.get(url.scheme) or proxies.get("all")
    return urlsplit(named if "://" in named else f"http://{named}") if named else None


def _named(name: str, host: str, mend: str) -> Check:
    try:
        addresses = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        return failure(name, f"{host}: {cause_of(error)}", f"check {mend}")
    return ok(name, f"{host} is {addresses[0][4][0]}")


def _connected(name: str, host: str, port: int, mend: str) -> Check:
    began = time.perf_counter()
    try:
        with socket.create_connection((host, port), _PATIENCE_S):
            return ok(name, f"{host}:{port} answers in {(time.perf_counter() - began) * 1000:.0f} ms")
    except OSError as error:
        return failure(name, f"{host}:{port}: {cause_of(error)}", f"check {mend}")


def _request_checks(name: str, url: SplitResult, host: str, port: int, proxy: SplitResult | None) -> Iterator[Check]:
    tls = url.scheme == "https"
    step = f"{name} TLS" if tls else f"{name} answer"
    try:
        date, ends = _head(url, host, port, proxy)
    except ssl.SSLCertVerificationError as error:
        yield failure(step, f"{host}: {_flaw(error, host, port)}", _mend_of(error))
        return
    except (OSError, http.client.HTTPException) as error:
        if "407" in str(error):
            yield failure(f"{name} proxy", "the proxy asks for a sign-in", "put name and password into HTTPS_PROXY")
        else:
            yield failure(
                step, f"{host}: {cause_of(error)}", "check the address; a proxy or firewall may stand between"
            )
        return
    yield ok(step, f"the certificate is good until {ends:%Y-%m-%d}" if ends else f"{host} answers")
    if date is not None:
        yield _clock(name, host, date)


def _head(url: SplitResult, host: str, port: int, proxy: SplitResult | None) -> tuple[datetime | None, datetime | None]:
    """What time it is there, and until when its certificate is good."""
    via, via_port = (proxy.hostname or "", proxy.port or 80) if proxy else (host, port)
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(via, via_port, timeout=_PATIENCE_S, context=trusted())
    else:
        connection = http.client.HTTPConnection(via, via_port, timeout=_PATIENCE_S)
    if proxy:
        connection.set_tunnel(host, port, _proxy_headers(proxy))
    try:
        connection.request("HEAD", url.path or "/")
        answer = connection.getresponse()
        date_header = answer.getheader("Date")
        sock: object = connection.sock
        ends = _end_of(sock.getpeercert(binary_form=True) or b"") if isinstance(sock, ssl.SSLSocket) else None
    finally:
        connection.close()
    with suppress(TypeError, ValueError):
        return parsedate_to_datetime(date_header or "").astimezone(UTC), ends
    return None, ends


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _flaw(error: ssl.SSLCertVerificationError, host: str, port: int) -> str:
    if error.verify_code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
        ended = _end_of(_certificate(host, port))
        return f"certificate expired on {ended:%Y-%m-%d}" if ended else "certificate expired"
    return cause_of(error)


def _mend_of(error: ssl.SSLCertVerificationError) -> str:
    match error.verify_code:
        case 9 | 10:  # not yet valid, expired
            return "set this machine's clock; if it is right, the server's operator renews the certificate"
        case 18 | 19 | 20 | 21:  # self-signed, or of an unknown issuer
            return "if your company's proxy opens TLS, name its root: SSL_CERT_FILE=/path/to/root.pem"
        case _:
            return "check the address: the certificate is another's"


def _certificate(host: str, port: int) -> bytes:
    """As it is, unverified: nothing is sent, and it is read for its dates alone."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        suppress(OSError),
        socket.create_connection((host, port), _PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        return wrapped.getpeercert(binary_form=True) or b""
    return b""


def _end_of(certificate: bytes) -> datetime | None:
    match = _VALIDITY.search(certificate)
    if match is None:
        return None
    short, long = match[1], match[2]
    text = (long or (b"19" if short[:2] >= b"50" else b"20") + short).decode()
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _clock(name: str, host: str, there: datetime) -> Check:
    apart = (datetime.now(UTC) - there).total_seconds()
    if abs(apart) <= _APART_S:
        return ok(f"{name} clock", f"{host} and this machine agree on the time")
    way = "ahead of" if apart > 0 else "behind"
    return warning(
        f"{name} clock",
        f"this machine's clock is {abs(apart) / 60:.0f} minutes {way} {host}'s",
        "set this machine's clock",
    )
