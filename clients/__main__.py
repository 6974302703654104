"""Drive real clients against `fraction-mcp serve --sandbox`, and tell what each of them makes of it.

    python -m clients                 all of them, and docs/clients.md written anew
    python -m clients NAME ...        these, told on the terminal

Exits 0 where every step came out as expected, 1 otherwise, 2 for a name that is not there.
"""

import sys

from clients import report, signing_in
from clients.running import Ran, clients, run
from fraction_mcp import __version__


def main(names: list[str]) -> int:
    known = clients()
    if strange := [name for name in names if name not in known and name != signing_in.NAME]:
        sys.stderr.write(
            f"There is no client {', '.join(strange)}; there are {', '.join([*known, signing_in.NAME])}.\n"
        )
        return 2
    all_ran: list[Ran] = []
    surprises = []
    if not names or signing_in.NAME in names:
        came = signing_in.run()
        print(came, flush=True)
        surprises += came.surprises()
    for name in [name for name in names if name in known] if names else known:
        ran = run(known[name])
        all_ran.append(ran)
        print(report.on_terminal(ran), flush=True)
    if not names:
        report.write(all_ran, __version__)
    surprises += [line for ran in all_ran for line in ran.surprises()]
    print("\n".join(["", *surprises]) if surprises else "\nAll as expected.")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
