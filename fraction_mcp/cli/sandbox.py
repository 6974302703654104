"""`sandbox reset` and `sandbox fault`: the embedded company afresh, or made to fail, beside servers."""

from fraction_mcp import sandbox
from fraction_mcp.cli.serve import sandbox_file, sandbox_told
from fraction_mcp.errors import ConfigError

__all__ = ["fault", "reset"]


def reset(*, parts: int, seed: int) -> int:
    path = sandbox_file(parts, seed)
    with sandbox_told(path):
        sandbox.reset_company(path, parts=parts, seed=seed)
    print(f"SANDBOX  The embedded company is as on its first day ({path}). The journal of its writes stays.")
    return 0


def fault(
    *, kind: str, on: str, times: int, after: int, status: int, code: str, seconds: float, clear: bool
) -> int:  # fmt: skip
    """Arm a fault for whichever process works in the usual company, list what is armed, or disarm everything."""
    path = sandbox_file()
    with sandbox_told(path):
        if clear:
            sandbox.clear_faults(path)
        if kind:
            method, slash, rest = on.partition("/")
            if not slash:
                raise ConfigError(f"--on {on}: write METHOD/PATH, such as POST/parts or GET/parts/*; * is any")
            where = {"method": method.upper() or "*", "path": "*" if rest == "*" else f"/{rest}"}
            try:
                sandbox.arm_fault(
                    path, kind, **where, times=times, after=after, status=status, code=code, seconds=seconds
                )
            except ValueError as error:
                raise ConfigError(str(error)) from None
        armed = sandbox.armed_faults(path)
    if not kind and not clear:
        width = max(map(len, sandbox.fault_kinds()))
        print("Kinds:")
        for name, description in sandbox.fault_kinds().items():
            print(f"  {name:<{width}}  {description}")
    print("SANDBOX  Armed:" if armed else "SANDBOX  Nothing is armed.")
    for each in armed:
        print(
            f"  {each.kind} on {each.method}{each.path}, {each.times} times"
            + (f", after {each.after}" * bool(each.after))
        )
    return 0
