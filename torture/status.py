"""What get_connection_status may say under a fault: an error, or what the wire saw of each ERP's own answers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from fraction_mcp import sandbox
from torture.wire import Exchange

__all__ = ["lies_about_the_connection"]

_PATHS = {"fractionerp": sandbox.FRACTION_PATH, "fracttal": sandbox.FRACTTAL_PATH}
_SETTINGS = ("confirm", "read_only", "version")
_FACTS = ("configured", "signed_in", "user", "company", "plan", "problem")
_WHO = ("user", "company", "plan")


def lies_about_the_connection(
    result: Mapping[str, Any], truth: Mapping[str, Any] | None, answers: Sequence[Exchange], codes: Collection[str]
) -> str:
    """Empty where all is well. `truth` is what it says without a fault, `codes` the errors that it may end with."""
    if result["is_error"]:
        code = (result.get("error") or {}).get("code")
        return "" if code in codes else f"an error called {code}, and not of {list(codes)}"
    if truth is None or any(result.get(name) != truth[name] for name in _SETTINGS):
        return "told other settings than there are"
    if [one["system"] for one in result["systems"]] != [one["system"] for one in truth["systems"]]:
        return "told other systems than there are"
    pairs = zip(result["systems"], truth["systems"], strict=True)
    return next((f"{now['system']}: {lie}" for now, then in pairs for lie in _lies(now, then, answers)), "")


def _lies(now: Mapping[str, Any], then: Mapping[str, Any], answers: Sequence[Exchange]) -> Iterator[str]:
    """FractionERP is signed in where it said who it is, and has a problem where its data cannot be read; of Fracttal it
    is enough that one of two lists can be had."""
    came = [answer for answer in answers if answer.path.startswith(_PATHS[now["system"]]) and not answer.of_sign_in]
    last = {answer.path: answer for answer in came}.values()
    read = [answer.usable for answer in last]
    enough = any(read) if now["system"] == "fracttal" else bool(read) and all(read)
    if now["signed_in"] and not any(read):
        yield "told signed in, and its API gave nothing that can be read"
    if not now["problem"] and not (now["signed_in"] and enough):
        yield "told no problem, and there is one"
    if now["signed_in"] and not now["problem"] and any(now[name] != then[name] for name in _WHO):
        yield "told of another account"
    if came and all(answer.unspoilt for answer in came) and any(now[name] != then[name] for name in _FACTS):
        yield "told of trouble, and all its answers came as they were"
