"""A second signal while a command ends: it tears nothing, and is told to whoever could hurry."""

import os
import signal
import sys

import anyio
import pytest

from fraction_mcp.cli.signals import run, told_again

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


def test_a_second_signal_is_told_to_what_is_ending_and_cancels_nothing_that_is_shielded() -> None:
    told: list[str] = []

    async def work() -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True), anyio.fail_after(25):
                os.kill(os.getpid(), signal.SIGINT)
                await told_again()
                told.append("hurried")
                await anyio.lowlevel.checkpoint()
                told.append("whole")
        return 0

    assert run(work) == 128 + signal.SIGTERM
    assert told == ["hurried", "whole"]


def test_one_signal_is_not_told_as_a_second_one() -> None:
    told: list[str] = []

    async def work() -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(0.05):
                await told_again()
                told.append("hurried")
        return 0

    assert run(work) == 128 + signal.SIGTERM
    assert told == []
