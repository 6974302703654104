"""The embedded ERPs behind a socket that does what sockets, balancers and tired servers do.

Each request is answered in process first, or not at all, as the fault wants it; then its bytes are spoilt. Knows
HTTP/1.1 as far as one request a connection goes, and nothing of the package.
"""

import asyncio
import gzip
import json
import re
import socket
import ssl
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp

__all__ = ["FAULTS", "Exchange", "Fault", "Wire"]

_DRIP_S = 0.05
_PASSED_ON: tuple[str, ...] = ("authorization", "content-type", "accept")
_ELSEWHERE = "http://127.0.0.1:9/elsewhere"


@dataclass(slots=True)
class Exchange:
    """One request, and what may be done with it."""

    method: str
    path: str
    writer: asyncio.StreamWriter
    target: str
    answered: Callable[..., Awaitable[httpx.Response]]

    async def send(self, status: int, body: bytes, *, length: int | None = None, head: str = "") -> None:
        reason = "OK" if status < 400 else "Trouble"
        type_ = "" if "content-type" in head.lower() else "Content-Type: application/json\r\n"
        lines = f"HTTP/1.1 {status} {reason}\r\n{type_}Connection: close\r\n"
        self.writer.write(f"{lines}Content-Length: {len(body) if length is None else length}\r\n{head}\r\n".encode())
        self.writer.write(body)
        await self.writer.drain()

    async def whole(self) -> None:
        answer = await self.answered()
        await self.send(answer.status_code, answer.content, head=_kept(answer))

    def reset(self) -> None:
        """An RST instead of an end."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def _kept(answer: httpx.Response) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items() if name.startswith("x-rate"))


Spoils = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`times` is how many matching requests meet it; `lands` whether the ERP does the work; `proves` whether the answer
    itself proves that nothing was written (of FractionERP, whose document lists its refusals); `changes` whether it
    makes another truth of a record; `only` the system it is of. `refuses`: from some moment on no connection is taken;
    `untrusted`: it speaks TLS, with a certificate that nobody vouches for; `ages`: what a sign-in gave has nearly ended
    when it is first used."""

    name: str
    spoils: Spoils
    times: int = 1
    lands: bool = False
    proves: bool = False
    changes: bool = False
    only: str = ""
    sign_in: bool = False
    refuses: bool = False
    untrusted: bool = False
    ages: bool = False


FAULTS: dict[str, Fault] = {}


def fault(name: str, **facts: object) -> Callable[[Spoils], Spoils]:
    def kept(spoils: Spoils) -> Spoils:
        FAULTS[name] = Fault(name, spoils, **facts)  # type: ignore[arg-type]
        return spoils

    return kept


ALWAYS = 10_000


@fault("reset before the commit")
async def _reset_before(exchange: Exchange) -> None:
    exchange.reset()


@fault("reset after the commit", lands=True)
async def _reset_after(exchange: Exchange) -> None:
    await exchange.answered()
    exchange.reset()


@fault("closed without a byte, after the commit", lands=True)
async def _closed(exchange: Exchange) -> None:
    await exchange.answered()


@fault("a first byte that never comes", lands=True)
async def _slow(exchange: Exchange) -> None:
    await exchange.answered()
    await asyncio.sleep(5)


@fault("a body that drips", lands=True)
async def _drips(exchange: Exchange) -> None:
    answer = await exchange.answered()
    await exchange.send(answer.status_code, b"", length=len(answer.content))
    for byte in answer.content:
        exchange.writer.write(bytes([byte]))
        await exchange.writer.drain()
        await asyncio.sleep(_DRIP_S)


@fault("a body that is cut", lands=True)
async def _cut(exchange: Exchange) -> None:
    answer = await exchange.answered()
    await exchange.send(answer.status_code, answer.content[: len(answer.content) // 2], length=len(answer.content))


@fault("an empty 200", lands=True)
async def _empty(exchange: Exchange) -> None:
    await exchange.answered()
    await exchange.send(200, b"")


@fault("a page of HTML with 200", lands=True)
async def _html(exchange: Exchange) -> None:
    await exchange.answered()
    await exchange.send(
        200, b"<html><title>Sign in to the guest network</title></html>", head="Content-Type: text/html\r\n"
    )


@fault("a gzip bomb", lands=True)
async def _bomb(exchange: Exchange) -> None:
    await exchange.answered()
    bomb = gzip.compress(b'{"data":"' + b"a" * 60_000_000 + b'"}', 9)
    with suppress(ConnectionError):
        await exchange.send(200, bomb, head="Content-Encoding: gzip\r\n")


@fault("a header of 200 kB", lands=True)
async def _header(exchange: Exchange) -> None:
    answer = await exchange.answered()
    with suppress(ConnectionError):
        await exchange.send(answer.status_code, answer.content, head=f"X-Long: {'a' * 200_000}\r\n")


def _rewritten(name: str, change: Callable[[bytes], bytes], **facts: object) -> None:
    @fault(name, lands=True, **facts)
    async def _changed(exchange: Exchange) -> None:
        answer = await exchange.answered()
        await exchange.send(answer.status_code, change(answer.content), head=_kept(answer))


_rewritten("data of the wrong type", lambda body: json.dumps({**json.loads(body), "data": "none"}).encode())
_rewritten("invalid UTF-8", lambda body: body.replace(b'":"', b'":"\xff\xfe', 3))
_rewritten("a duplicate key", lambda body: b'{"success":false,"data":null,' + body.lstrip()[1:])
_rewritten(
    "a number of 40 digits", lambda body: re.sub(rb'"id":\s*\d+', b'"id":' + b"7" * 40, body, count=1), changes=True
)
_rewritten("a last page that lies", lambda body: re.sub(rb'("last_page":\s*)\d+', rb"\g<1>1", body))
_rewritten("success: false with 2xx", lambda body: body.replace(b'"success":true', b'"success":false'))


@fault("more pages for ever", lands=True, times=ALWAYS)
async def _for_ever(exchange: Exchange) -> None:
    answer = await exchange.answered()
    body = re.sub(rb'("last_page":\s*)\d+', rb"\g<1>999999", answer.content)
    body = re.sub(rb'("has_more":\s*)false', rb"\g<1>true", body)
    await exchange.send(answer.status_code, body, head=_kept(answer))


def _refused(
    name: str, status: int, code: str, head: str = "", *, field: str = "", proves: bool = True, **facts: object
) -> None:
    """A refusal in FractionERP's documented envelope, or in Fracttal's."""

    @fault(name, proves=proves, **facts)
    async def _refuses(exchange: Exchange) -> None:
        error = {"code": code, "message": "Refused by the gate", **({"field": field} if field else {})}
        body: dict[str, object] = {"success": False, "data": None, "meta": None, "errors": [error]}
        if "/fracttal" in exchange.path:
            body = {"success": False, "message": "REFUSED_BY_THE_GATE", "data": None}
        await exchange.send(status, json.dumps(body).encode(), head=head)


_refused("401 once", 401, "UNAUTHORIZED", proves=False)  # it is sent once more, and that is answered
_refused("401 always", 401, "UNAUTHORIZED", times=ALWAYS)
_refused("403", 403, "FORBIDDEN", times=ALWAYS)
_refused("404", 404, "NOT_FOUND", times=ALWAYS)
# Of a duplicate nobody knows whose it is: a balancer that repeats a POST is answered so for a write that landed.
_refused("409", 409, "DUPLICATE", proves=False, times=ALWAYS)
_refused("422 with fields", 422, "VALIDATION_ERROR", field="description", times=ALWAYS)
_refused("422 without fields", 422, "VALIDATION_ERROR", times=ALWAYS)
_refused("429, soon over", 429, "RATE_LIMIT_EXCEEDED", "Retry-After: 1\r\n")
_refused("429, for an hour", 429, "RATE_LIMIT_EXCEEDED", "Retry-After: 3600\r\n", times=ALWAYS)
_refused("429, bare", 429, "RATE_LIMIT_EXCEEDED", times=ALWAYS)
_refused("500 once", 500, "SERVER_ERROR", proves=False)
_refused("500 always", 500, "SERVER_ERROR", proves=False, times=ALWAYS)
for _status in (406, 407, 408, 423):
    _refused(f"Fracttal's {_status}", _status, "", proves=_status in {406, 407}, only="fracttal", times=ALWAYS)


@fault("500 after the commit", lands=True)
async def _after_500(exchange: Exchange) -> None:
    await exchange.answered()
    await exchange.send(500, b'{"success":false,"error":{"code":"SERVER_ERROR","message":"Broken"}}')


@fault("a redirect to another host")
async def _redirect(exchange: Exchange) -> None:
    await exchange.send(307, b"", head=f"Location: {_ELSEWHERE}\r\n")


@fault("a sign-in that answers 500", sign_in=True, times=ALWAYS)
async def _sign_in_500(exchange: Exchange) -> None:
    await exchange.send(500, b"{}")


@fault("a sign-in whose token has expired already", sign_in=True, times=ALWAYS)
async def _skewed(exchange: Exchange) -> None:
    answer = await exchange.answered()
    body = re.sub(rb'("expires_at":\s*)"[^"]*"', rb'\g<1>"2001-01-01T00:00:00Z"', answer.content)
    await exchange.send(answer.status_code, re.sub(rb'("expires_in":\s*)\d+', rb"\g<1>0", body))


@fault("a sign-in without a token", sign_in=True, times=ALWAYS)
async def _tokenless(exchange: Exchange) -> None:
    await exchange.send(200, b'{"success":true,"data":{}}')


async def _as_ever(exchange: Exchange) -> None:
    await exchange.whole()


fault("connections that are refused", refuses=True)(_as_ever)
fault("a certificate that nobody vouches for", untrusted=True)(_as_ever)


async def _renewed(exchange: Exchange, refused: Callable[[], Awaitable[None]]) -> None:
    """A sign-in whose token lives an hour, and what becomes of its renewal."""
    if exchange.path.endswith("/auth/refresh"):
        await refused()
        return
    answer = await exchange.answered()
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = re.sub(rb'("expires_at":\s*)"[^"]*"', rb'\g<1>"' + ends.encode() + b'"', answer.content)
    await exchange.send(answer.status_code, body)


@fault("a renewal that answers 500", sign_in=True, times=ALWAYS, ages=True)
async def _renewal_500(exchange: Exchange) -> None:
    await _renewed(exchange, lambda: exchange.send(500, b"{}"))


@fault("a renewal that another process was first with", sign_in=True, times=ALWAYS, ages=True)
async def _renewal_late(exchange: Exchange) -> None:
    async def late() -> None:
        await exchange.answered()  # which ends the token that this process holds
        error = {"code": "UNAUTHORIZED", "message": "Token has been revoked"}
        body = {"success": False, "data": None, "meta": None, "errors": [error]}
        await exchange.send(401, json.dumps(body).encode())

    await _renewed(exchange, late)


def _page_of(target: str) -> int:
    return int(dict(parse_qsl(urlsplit(target).query)).get("page", 1))


def _shifting(name: str, change: Callable[[list[object], list[object]], list[object]], more: int) -> None:
    """What was on the first page when it was read is not there any more, or is joined, when the next ones are."""

    @fault(name, times=ALWAYS, lands=True)
    async def _shifts(exchange: Exchange) -> None:
        answer = await exchange.answered()
        page = _page_of(exchange.target)
        if page < 2 or answer.status_code != 200:
            await exchange.send(answer.status_code, answer.content, head=_kept(answer))
            return
        told = answer.json()
        before = await exchange.answered(re.sub(r"([?&]page=)\d+", rf"\g<1>{page - 1}", exchange.target))
        told["data"] = change(before.json()["data"], told["data"])
        told["meta"]["pagination"]["total"] += more
        await exchange.send(200, json.dumps(told).encode(), head=_kept(answer))


_shifting("a record that is added while pages are read", lambda before, page: [before[-1], *page[:-1]], 1)
_shifting("a record that is removed while pages are read", lambda _, page: page[1:], -1)


def _vouched_for_by_nobody(folder: Path) -> ssl.SSLContext:
    """A certificate of another host, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elsewhere.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _PASSED_ON if name in headers}


def _is_sign_in(path: str) -> bool:
    return path.endswith(("/auth/login", "/auth/refresh")) or "token" in path


@dataclass(slots=True)
class Wire:
    """`methods` are those that the fault is for; `requests` what came, in order."""

    app: ASGIApp
    fault: Fault | None = None
    methods: frozenset[str] = frozenset()
    left: int = 0
    requests: list[str] = field(default_factory=list)
    url: str = ""
    aged: Callable[[], None] = lambda: None
    _server: asyncio.Server | None = None
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    def arm(self, fault: Fault, methods: frozenset[str]) -> None:
        self.fault, self.methods, self.left = fault, methods, fault.times

    @asynccontextmanager
    async def served(self) -> AsyncIterator["Wire"]:
        tls = None
        if self.fault and self.fault.untrusted:
            with tempfile.TemporaryDirectory() as folder:
                tls = _vouched_for_by_nobody(Path(folder))
        self._server = server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**22, ssl=tls)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in self._open:
                task.cancel()

    def refuse(self) -> None:
        """From now on no connection is taken."""
        if self._server:
            self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._exchanged(reader, writer)
        self._open.discard(task)
        writer.close()

    async def _exchanged(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = target.partition("?")[0]
        if "/auth/" not in path and "token" not in path:
            self.requests.append(f"{method} {path}")

        async def answered(instead: str = "") -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as inner:
                return await inner.request(method, instead or target, content=body, headers=_passed_on(headers))

        exchange = Exchange(method, path, writer, target, answered)
        await (exchange.whole() if (struck := self._struck(method, path)) is None else struck.spoils(exchange))
        if self.fault and self.fault.refuses and _is_sign_in(path) and "GET" in self.methods:
            self.refuse()
        if self.fault and self.fault.ages and _is_sign_in(path):
            self.aged()

    def _struck(self, method: str, path: str) -> Fault | None:
        fault = self.fault
        if fault is None or not self.left or fault.sign_in != _is_sign_in(path):
            return None
        if not fault.sign_in and method not in self.methods:
            return None
        self.left -= 1
        return fault
