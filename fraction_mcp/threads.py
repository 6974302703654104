"""Work that blocks and cannot be called off, as a keychain that asks its person or a host that does not answer.

anyio's threads are waited for when the program ends; these are left behind, so that Ctrl-C need not wait.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, cast

__all__ = ["left_behind"]

ResultT = TypeVar("ResultT")


async def left_behind(work: Callable[[], ResultT]) -> ResultT:
    """What the work returns or raises. Cancelled, its thread goes on alone, and ends with the program at the latest."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[ResultT] = loop.create_future()

    def tell(result: ResultT | None, error: BaseException | None) -> None:
        if over.done():
            return
        if error is None:
            over.set_result(cast(ResultT, result))
        else:
            over.set_exception(error)

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            failure = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, result, failure)

    threading.Thread(target=run, daemon=True).start()
    return await over
