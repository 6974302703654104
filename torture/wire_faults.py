"""What sockets, balancers and tired servers do to one request: each fault by its name.

The request is answered in process first, or not at all, as the fault wants it; then its bytes are spoilt.
"""

import asyncio
import gzip
import json
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx

__all__ = ["FAULTS", "NUMBER", "Exchange", "Fault", "is_sign_in"]

_DRIP_S = 0.05
_PAGE, _IS_HTML = b"<html><title>Sign in to the guest network</title></html>", "Content-Type: text/html\r\n"


@dataclass(slots=True)
class Exchange:
    """One request, and what may be done with it. `unspoilt` is whether it was given the ERP's own answer, and `usable`
    whether what it was given can be taken for one; both are False while it waits."""

    method: str
    path: str
    writer: asyncio.StreamWriter
    target: str
    elsewhere: str
    answered: Callable[..., Awaitable[httpx.Response]]
    truth: httpx.Response | None = None
    unspoilt: bool = False
    usable: bool = False

    @property
    def of_sign_in(self) -> bool:
        return is_sign_in(self.path)

    async def send(self, status: int, body: bytes, *, length: int | None = None, head: str = "") -> None:
        told = self.truth
        self.unspoilt = told is not None and (told.status_code, told.content, _kept(told)) == (status, body, head)
        self.usable = status < 300 and _is_usable(body)
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


def _is_usable(body: bytes) -> bool:
    """Whether somebody who takes this for an answer of the ERP may."""
    try:
        told = json.loads(body, object_pairs_hook=_said_once)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("success") is not False and isinstance(told.get("data"), dict | list)


def _said_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Raises ValueError where one object says two things of one name."""
    said = dict(pairs)
    if len(said) != len(pairs):
        raise ValueError("a name twice")
    return said


Spoils = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`codes` are the errors that it may be told as; `passes` whether a read gets over it. `times` is how many matching
    requests meet it; `lands` whether the ERP does the work; `waits` whether its answer is waited for in vain; `proves`
    whether the answer itself proves that nothing was written (of FractionERP, whose document lists its refusals);
    `changes` whether it makes another truth of a record; `only` the system it is of. `refuses`: from some moment on no
    connection is taken; `untrusted`: from then on its certificate is one that nobody vouches for; `ages`: what a
    sign-in gave has nearly ended when it is next used."""

    name: str
    spoils: Spoils
    codes: tuple[str, ...] = ()
    passes: bool = False
    times: int = 1
    lands: bool = False
    waits: bool = False
    proves: bool = False
    changes: bool = False
    only: str = ""
    sign_in: bool = False
    refuses: bool = False
    untrusted: bool = False
    ages: bool = False

    @property
    def is_got_over(self) -> bool:
        """Whether it concerns nothing but who signs in, and a write is sent all the same."""
        return self.name == "401 once" or (self.sign_in and not self.codes)

    @property
    def shuts(self) -> bool:
        """Whether it is of the connection, and not of what goes over it."""
        return self.refuses or self.untrusted


FAULTS: dict[str, Fault] = {}
_BROKEN, _UNREADABLE, _UNREACHABLE = ("UPSTREAM_ERROR",), ("UPSTREAM_UNREADABLE",), ("UPSTREAM_UNREACHABLE",)


def fault(name: str, **facts: object) -> Callable[[Spoils], Spoils]:
    def kept(spoils: Spoils) -> Spoils:
        FAULTS[name] = Fault(name, spoils, **facts)  # type: ignore[arg-type]
        return spoils

    return kept


ALWAYS = 10_000
NUMBER = 40 * "7"


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


@fault("a first byte that never comes", codes=_BROKEN, lands=True, waits=True)
async def _slow(exchange: Exchange) -> None:
    await exchange.answered()
    await asyncio.sleep(5)


@fault("a body that drips", codes=_BROKEN, lands=True, waits=True)
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


@fault("an empty 200", codes=_UNREADABLE, lands=True)
async def _empty(exchange: Exchange) -> None:
    await exchange.answered()
    await exchange.send(200, b"")


@fault("a page of HTML with 200", codes=_UNREADABLE, lands=True)
async def _html(exchange: Exchange) -> None:
    await exchange.answered()
    await exchange.send(200, _PAGE, head=_IS_HTML)


@fault("a proxy's 403, after the commit", codes=_UNREADABLE, lands=True)
async def _proxy(exchange: Exchange) -> None:
    await exchange.answered()
    await exchange.send(403, _PAGE, head=_IS_HTML)


@fault("a gzip bomb", codes=_UNREADABLE, lands=True)
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


def _of_another_type(body: bytes) -> bytes:
    return json.dumps({**json.loads(body), "data": "none"}).encode()


def _numbered(body: bytes) -> bytes:
    return re.sub(rb'"id":\s*\d+', b'"id":' + NUMBER.encode(), body, count=1)


_rewritten("data of the wrong type", _of_another_type, codes=_UNREADABLE)
_rewritten("invalid UTF-8", lambda body: body.replace(b'":"', b'":"\xff\xfe', 3), codes=_UNREADABLE)
_rewritten("a duplicate key", lambda body: b'{"success":false,"data":null,' + body.lstrip()[1:], codes=_UNREADABLE)
# Of a record whose number is another one the ERP is then asked in vain.
_rewritten("a number of 40 digits", _numbered, codes=("NOT_FOUND", "VALIDATION_ERROR"), changes=True)
_rewritten("a last page that lies", lambda body: re.sub(rb'("last_page":\s*)\d+', rb"\g<1>1", body))
_rewritten(
    "success: false with 2xx",
    lambda body: body.replace(b'"success":true', b'"success":false'),
    codes=_UNREADABLE,
)


@fault("more pages for ever", lands=True, times=ALWAYS)
async def _for_ever(exchange: Exchange) -> None:
    answer = await exchange.answered()
    body = re.sub(rb'("last_page":\s*)\d+', rb"\g<1>999999", answer.content)
    body = re.sub(rb'("has_more":\s*)false', rb"\g<1>true", body)
    await exchange.send(answer.status_code, body, head=_kept(answer))


def _refused(
    name: str,
    status: int,
    code: str,
    head: str = "",
    *,
    field: str = "",
    proves: bool = True,
    lands: bool = False,
    **facts: object,
) -> None:
    """A refusal in FractionERP's documented envelope, or in Fracttal's."""

    @fault(name, proves=proves, lands=lands, **facts)
    async def _refuses(exchange: Exchange) -> None:
        if lands:
            await exchange.answered()
        error = {"code": code, "message": "Refused by the gate", **({"field": field} if field else {})}
        body: dict[str, object] = {"success": False, "data": None, "meta": None, "errors": [error]}
        if "/fracttal" in exchange.path:
            body = {"success": False, "message": "REFUSED_BY_THE_GATE", "data": None}
        await exchange.send(status, json.dumps(body).encode(), head=head)


_LIMITED, _INVALID = ("RATE_LIMITED",), ("VALIDATION_ERROR",)
_refused("401 once", 401, "UNAUTHORIZED", proves=False)  # it is sent once more, and that is answered
_refused("401 always", 401, "UNAUTHORIZED", codes=("NOT_AUTHENTICATED",), times=ALWAYS)
_refused("403", 403, "FORBIDDEN", codes=("FORBIDDEN",), times=ALWAYS)
for _name, _code in (("plan", "PLAN_RESTRICTED"), ("account", "ACCOUNT_INACTIVE")):
    _refused(f"403 for the {_name}", 403, _code, codes=(_code,), only="fractionerp", times=ALWAYS)
_refused("404", 404, "NOT_FOUND", codes=("NOT_FOUND",), times=ALWAYS)
# Of a duplicate nobody knows whose it is: a balancer that repeats a POST is answered so for a write that landed.
_refused("409", 409, "DUPLICATE", codes=("DUPLICATE",), proves=False, times=ALWAYS)
_refused("409 after the commit", 409, "DUPLICATE", codes=("DUPLICATE",), proves=False, lands=True)
_refused("422 with fields", 422, "VALIDATION_ERROR", field="description", codes=_INVALID, times=ALWAYS)
_refused("422 without fields", 422, "VALIDATION_ERROR", codes=_INVALID, times=ALWAYS)
_refused("429, soon over", 429, "RATE_LIMIT_EXCEEDED", "Retry-After: 1\r\n", codes=_LIMITED, passes=True)
_refused("429, for an hour", 429, "RATE_LIMIT_EXCEEDED", "Retry-After: 3600\r\n", codes=_LIMITED, times=ALWAYS)
_refused("429, bare", 429, "RATE_LIMIT_EXCEEDED", codes=_LIMITED, times=ALWAYS)
_refused("500 once", 500, "SERVER_ERROR", proves=False)
_refused("500 always", 500, "SERVER_ERROR", codes=_BROKEN, proves=False, times=ALWAYS)
for _status, _codes in ((406, _LIMITED), (407, _BROKEN), (408, ("DUPLICATE",)), (423, _BROKEN)):
    _proves = _status in {406, 407}
    _refused(f"Fracttal's {_status}", _status, "", codes=_codes, proves=_proves, only="fracttal", times=ALWAYS)


@fault("500 after the commit", lands=True)
async def _after_500(exchange: Exchange) -> None:
    await exchange.answered()
    await exchange.send(500, b'{"success":false,"error":{"code":"SERVER_ERROR","message":"Broken"}}')


@fault("a redirect to another host", codes=_UNREADABLE)
async def _redirect(exchange: Exchange) -> None:
    await exchange.send(307, b"", head=f"Location: {exchange.elsewhere}\r\n")


fault("a sign-in that redirects to another host", codes=_UNREADABLE, sign_in=True, times=ALWAYS)(_redirect)


@fault("a sign-in that answers 500", codes=_BROKEN, sign_in=True, times=ALWAYS)
async def _sign_in_500(exchange: Exchange) -> None:
    await exchange.send(500, b"{}")


@fault("a sign-in whose token has expired already", sign_in=True, times=ALWAYS)
async def _skewed(exchange: Exchange) -> None:
    answer = await exchange.answered()
    body = re.sub(rb'("expires_at":\s*)"[^"]*"', rb'\g<1>"2001-01-01T00:00:00Z"', answer.content)
    await exchange.send(answer.status_code, re.sub(rb'("expires_in":\s*)\d+', rb"\g<1>0", body))


@fault("a sign-in without a token", codes=_UNREADABLE, sign_in=True, times=ALWAYS)
async def _tokenless(exchange: Exchange) -> None:
    await exchange.send(200, b'{"success":true,"data":{}}')


async def _as_ever(exchange: Exchange) -> None:
    await exchange.whole()


fault("connections that are refused", codes=_UNREACHABLE, refuses=True)(_as_ever)
fault("a certificate that nobody vouches for", codes=_UNREACHABLE, untrusted=True)(_as_ever)


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


def is_sign_in(path: str) -> bool:
    return path.endswith(("/auth/login", "/auth/refresh")) or "token" in path
