"""Answers are as large as answers are: what is unpacked is counted as it comes, and no server decides what we hold."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import anyio
import pytest

from fraction_mcp import errors
from fraction_mcp.erp import body
from fraction_mcp.erp import endpoints as e
from fraction_mcp.erp.body import MOST_BYTES, received
from tests.erp.conftest import Scripting, World

pytestmark = pytest.mark.anyio

TOKEN = ("200 OK", b'{"data":{"access_token":"t0k3n"}}')
ROW = b'{"success":true,"data":[{"id":1,"name":"' + "Größe".encode() + b'"}]}'
MB = 1_000_000


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def bomb(megabytes: int, wbits: int = 31) -> bytes:
    """Zeros that were packed a thousand to one."""
    packer = zlib.compressobj(9, wbits=wbits)
    head = packer.compress(b"") or b""
    first = packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + first + again * (megabytes - 1)


async def chunked(content: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 65_536])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", ROW),
        ("identity", ROW),
        ("gzip", gzip.compress(ROW, mtime=0)),
        ("GZip ", gzip.compress(ROW, mtime=0)),
        ("x-gzip", gzip.compress(ROW, mtime=0)),
        ("deflate", zlib.compress(ROW)),
        ("deflate", raw_deflate(ROW)),
        ("gzip", b""),  # as an answer without content
    ],
)
async def test_what_is_packed_as_it_says_is_unpacked_however_it_comes(encoding: str, packed: bytes, size: int) -> None:
    assert await received({"content-encoding": encoding}, chunked(packed, size)) == (packed and ROW, "")


@pytest.mark.parametrize(
    ("encoding", "packed", "why"),
    [
        ("gzip", ROW, "it is not packed as it says"),
        ("deflate", ROW, "it is not packed as it says"),
        ("gzip", gzip.compress(ROW, mtime=0)[:-9], "it was cut off"),
        ("gzip", gzip.compress(ROW, mtime=0) + b"more", "it was cut off"),
        ("gzip", gzip.compress(ROW, mtime=0) * 2, "it was cut off"),
        ("br", b"\x0b", "it is packed in a way that was not asked for"),
        ("zstd", b"", "it is packed in a way that was not asked for"),
        (
            "gzip, gzip",
            gzip.compress(gzip.compress(ROW, mtime=0), mtime=0),
            "it is packed in a way that was not asked for",
        ),
        ("", bytes(MOST_BYTES + 1), "it is larger than 32 MB"),
        ("gzip", bomb(40), "it is larger than 32 MB"),
        ("deflate", bomb(40, 15), "it is larger than 32 MB"),
    ],
)
async def test_what_cannot_be_had_whole_is_not_had_and_told(encoding: str, packed: bytes, why: str) -> None:
    assert await received({"content-encoding": encoding}, chunked(packed)) == (b"", why)


async def test_as_much_as_an_answer_may_hold_is_had() -> None:
    content = bytes(MOST_BYTES)
    for headers, packed in (({}, content), ({"content-encoding": "gzip"}, gzip.compress(content, 1))):
        assert await received(headers, chunked(packed)) == (content, "")


async def test_bytes_that_come_to_nothing_are_counted_as_well() -> None:
    packer = zlib.compressobj(wbits=31)
    nothing = packer.compress(b"") + packer.flush(zlib.Z_SYNC_FLUSH)

    async def for_ever() -> AsyncIterator[bytes]:
        yield nothing
        while True:
            yield packer.flush(zlib.Z_FULL_FLUSH) * 20_000 or b"\x00\x00\x00\xff\xff" * 20_000

    with anyio.fail_after(25):
        assert await received({"content-encoding": "gzip"}, for_ever()) == (b"", "it is larger than 32 MB")


# --------------------------------------------------------------------------------------------------------- the client


async def test_a_few_bytes_that_become_a_thousand_times_as_many_take_no_memory(
    wired: World, scripted: Scripting
) -> None:
    packed = bomb(976)
    assert len(packed) < 1.1 * MB
    server = await scripted(TOKEN, ("200 OK", packed, {"Content-Encoding": "gzip"}), ("200 OK", ROW))
    client = wired.fraction()
    client.base_url = server.url
    tracemalloc.start()
    try:
        with anyio.fail_after(25), pytest.raises(errors.ErpContractBroken, match="larger than 32 MB") as caught:
            await client.call(e.PARTS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * MOST_BYTES
    assert (caught.value.status, caught.value.retryable) == (200, False)
    assert (await client.call(e.PARTS)).records()[0]["name"] == "Größe", "the client goes on"


async def test_a_write_whose_answer_is_too_large_may_have_been_written(wired: World, scripted: Scripting) -> None:
    server = await scripted(TOKEN, ("201 Created", bomb(40), {"Content-Encoding": "gzip"}))
    client = wired.fraction()
    client.base_url = server.url
    with pytest.raises(errors.ErpOutcomeUnknown, match=r"larger than 32 MB; it may have been written"):
        await client.call(e.CREATE_PART, body={"part_number": "A"})
    assert len(server.received) == 2, "nothing is sent again"


@pytest.mark.matrix
@pytest.mark.parametrize("status", ["404 Not Found", "409 Conflict", "422 Unprocessable"])
async def test_a_refusal_of_a_write_that_cannot_be_read_whole_proves_nothing(
    wired: World, scripted: Scripting, status: str
) -> None:
    server = await scripted(TOKEN, (status, bomb(40), {"Content-Encoding": "gzip"}))
    client = wired.fraction()
    client.base_url = server.url
    with pytest.raises(errors.ErpOutcomeUnknown):
        await client.call(e.CREATE_PART, body={"part_number": "A"})


async def test_only_what_can_be_unpacked_is_asked_for_and_no_cookie_is_kept(wired: World, scripted: Scripting) -> None:
    cookie = {"Set-Cookie": "a=" + "x" * 1000}
    server = await scripted(
        TOKEN, ("200 OK", gzip.compress(ROW, mtime=0), {"Content-Encoding": "gzip", **cookie}), ("200 OK", ROW)
    )
    client = wired.fraction()
    client.base_url = server.url
    assert (await client.call(e.PARTS)).records() == (await client.call(e.PARTS)).records()
    assert b"Accept-Encoding: gzip, deflate\r\n" in server.received[1]
    assert b"cookie" not in server.received[2].lower()


async def test_headers_without_end_are_given_up(wired: World, scripted: Scripting) -> None:
    many = {f"X-{n}": "x" * 1_000 for n in range(300)}
    for script in ([("200 OK", ROW, many)] * 4, [("200 OK", ROW, {"X": "x" * 1_000_000})] * 4):
        server = await scripted(TOKEN, *script)
        client = wired.fraction()
        client.base_url = server.url
        with anyio.fail_after(25), pytest.raises(errors.ErpBroken, match="broke the connection off"):
            await client.call(e.PARTS)


@pytest.mark.slow
async def test_an_answer_of_a_byte_at_a_time_is_no_larger_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of a byte, each an object of its own, would be forty times as large."""
    monkeypatch.setattr(body, "MOST_BYTES", 2 * MB)

    async def bytewise() -> AsyncIterator[bytes]:
        for number in range(MB // 4):
            yield bytes((number % 251,))

    tracemalloc.start()
    try:
        content, flaw = await received({}, bytewise())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(content), flaw) == (MB // 4, "")
    assert peak < MB


@pytest.mark.slow
async def test_many_values_in_few_bytes_are_refused_before_they_are_made(wired: World, scripted: Scripting) -> None:
    content = b'{"data":[' + b"{}," * 9_000_000 + b"{}]}"
    server = await scripted(TOKEN, ("200 OK", gzip.compress(content, 6), {"Content-Encoding": "gzip"}))
    client = wired.fraction()
    client.base_url = server.url
    tracemalloc.start()
    try:
        with pytest.raises(errors.ErpContractBroken, match="too many values"):
            await client.call(e.PARTS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MOST_BYTES
    large = {"success": True, "data": [{"id": n, "notes": "a, b, c [and] so on" * 20} for n in range(5_000)]}
    server = await scripted(TOKEN, ("200 OK", json.dumps(large).encode()))
    client = wired.fraction()
    client.base_url = server.url
    assert len((await client.call(e.PARTS)).records()) == 5_000
