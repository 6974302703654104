"""The bytes of an answer, unpacked as they come, and no more of them than an answer can be.

A few bytes of gzip may become a thousand times as many: what is counted is what comes out, and reading stops there.
Knows neither HTTP's other headers nor what the bytes mean.
"""

import zlib
from collections.abc import AsyncIterator, Callable, Mapping

__all__ = ["ENCODINGS", "MOST_BYTES", "received"]

MOST_BYTES = 32_000_000
ENCODINGS = "gzip, deflate"
"""What an ERP is told that it may use. Whatever else it uses is not unpacked."""

_GZIP, _ZLIB, _DEFLATE = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS


async def received(headers: Mapping[str, str], chunks: AsyncIterator[bytes]) -> tuple[bytes, str]:
    """A body, or an empty one and why it cannot be had. Header names are lower-case."""
    encoding = headers.get("content-encoding", "").strip().lower()
    content = bytearray()
    packed: _Packed | None = None
    if encoding not in {"", "identity"}:
        if encoding not in _UNPACKED:
            return b"", "it is packed in a way that was not asked for"
        packed = _UNPACKED[encoding]()
    came = 0
    async for chunk in chunks:
        came += len(chunk)
        try:
            content += chunk if packed is None else packed.out(chunk, MOST_BYTES + 1 - len(content))
        except zlib.error:
            return b"", "it is not packed as it says"
        if max(came, len(content)) > MOST_BYTES:
            return b"", f"it is larger than {MOST_BYTES // 1_000_000} MB"
    if packed is not None and came and not packed.ended:
        return b"", "it was cut off"
    return bytes(content), ""


class _Packed:
    """One packed stream. Some servers call raw deflate what RFC 9110 means to be zlib's: both are taken."""

    def __init__(self, *kinds: int) -> None:
        self._others = list(kinds[1:])
        self._stream = zlib.decompressobj(kinds[0])
        self._fed = b""  # for the other kind, as long as nothing has come out

    @property
    def ended(self) -> bool:
        """Whether the stream came to its own end, with nothing behind it."""
        return self._stream.eof and not self._stream.unused_data

    def out(self, chunk: bytes, most: int) -> bytes:
        """What a chunk becomes, at most so many bytes of it. Raises zlib.error."""
        try:
            unpacked = self._stream.decompress(chunk, most)
        except zlib.error:
            if not self._others:
                raise
            self._stream = zlib.decompressobj(self._others.pop())
            return self.out(self._fed + chunk, most)
        if unpacked:
            self._others = []
        self._fed = self._fed + chunk if self._others else b""
        return unpacked


_UNPACKED: Mapping[str, Callable[[], _Packed]] = {
    "gzip": lambda: _Packed(_GZIP),
    "x-gzip": lambda: _Packed(_GZIP),
    "deflate": lambda: _Packed(_ZLIB, _DEFLATE),
}
