"""Starts fraction-mcp for a program that installed the bundle, from what was filled in to its form.

A form gives empty texts, and some programs the placeholders themselves, for what was left out; a currency is typed as
people type one.
"""

import os
import sys
from collections.abc import MutableMapping, Sequence


def arguments(given: Sequence[str], environ: MutableMapping[str, str]) -> list[str]:
    """What `fraction-mcp` is asked for; `environ` is put right on the way."""
    for name in [name for name, value in environ.items() if value.startswith("${user_config.")]:
        del environ[name]
    if "FRACTION_CURRENCY" in environ:
        environ["FRACTION_CURRENCY"] = environ["FRACTION_CURRENCY"].strip().upper()
    sandbox = any(word.casefold() == "--sandbox=true" for word in given)
    return ["serve", "--sandbox"] if sandbox else ["serve"]


if __name__ == "__main__":
    from fraction_mcp.cli import main

    sys.exit(main(arguments(sys.argv[1:], os.environ)))
