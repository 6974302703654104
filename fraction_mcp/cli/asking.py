"""Questions to a person at a terminal, and their answers. Nothing that is approved is asked here: see `consent`.

`y` and `yes` mean the same here. A password is never shown. The end of the input ends the command: nothing was kept.
"""

import getpass
import sys
from collections.abc import Callable, Sequence

from fraction_mcp.cli.exits import GivenUp
from fraction_mcp.errors import ConfigError

__all__ = ["ask", "ask_hidden", "choose", "needs_person", "says_yes"]


def needs_person(command: str, instead: str) -> None:
    """Raises ConfigError where nobody can be asked, with what serves there instead."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigError(f"{command} asks a person, so it needs a terminal; {instead}")


def ask(question: str, default: str = "", *, check: Callable[[str], str] = lambda answer: answer) -> str:
    """A line, or the default where nothing was typed. Asked again while `check` raises ValueError, with its reason."""
    shown = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        answer = _line(shown).strip() or default
        try:
            return check(answer)
        except ValueError as error:
            sys.stderr.write(f"  {error}\n")


def ask_hidden(question: str) -> str:
    """What is typed is not shown, and may hold spaces at its ends."""
    while True:
        try:
            answer = getpass.getpass(f"{question}: ", stream=sys.stderr)
        except EOFError:
            raise _given_up() from None
        if answer:
            return answer
        sys.stderr.write("  It cannot be empty.\n")


def says_yes(question: str, *, default: bool = True) -> bool:
    def read(answer: str) -> str:
        word = answer.lower()
        if word not in {"y", "yes", "n", "no"}:
            raise ValueError("Answer y or n.")
        return word

    return ask(f"{question} (y/n)", "y" if default else "n", check=read) in {"y", "yes"}


def choose(question: str, options: Sequence[str], *, several: bool = False, default: str = "") -> list[int]:
    """The places in `options` that were chosen by number: one, or with `several` any, between commas or spaces."""
    for number, option in enumerate(options, 1):
        sys.stderr.write(f"  {number}  {option}\n")

    def read(answer: str) -> str:
        words = answer.replace(",", " ").lower().split()
        if several and words in (["all"], ["none"]):
            return " ".join(map(str, range(1, len(options) + 1))) if words == ["all"] else ""
        if not words or (len(words) > 1 and not several):
            raise ValueError("Answer with a number." if not several else "Answer with numbers, `all` or `none`.")
        for word in words:
            if not (word.isascii() and word.isdigit() and 1 <= int(word) <= len(options)):
                raise ValueError(f"There is no {word}: answer with a number from 1 to {len(options)}.")
        return " ".join(words)

    return sorted({int(word) - 1 for word in ask(question, default, check=read).split()})


def _line(shown: str) -> str:
    sys.stderr.write(shown)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
        raise _given_up()
    return line


def _given_up() -> GivenUp:
    return GivenUp("the questions were ended; what was not finished was not kept")
