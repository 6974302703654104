"""Known vulnerabilities of what the locks pin: `python -m release.audit`, which `make audit` runs.

Asks the package index's database through pip-audit, so it needs the network, and is no test. What cannot be looked up
fails it: silence is no clean bill. An exception has its reason, and the version that ends it.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["EXCEPTIONS", "command"]

ROOT = Path(__file__).parents[1]
_PIP_AUDIT = "pip-audit==2.10.1"
LOCKS = ("requirements.lock", "requirements-team.lock", "requirements-dev.lock")

EXCEPTIONS: Mapping[str, str] = {}
"""By the vulnerability's id: why it does not concern this program, and until when that is borne."""


def command(lock: str) -> list[str]:
    uv = Path(sys.executable).with_name("uv")
    ignored = [word for known in EXCEPTIONS for word in ("--ignore-vuln", known)]
    return [str(uv), "tool", "run", _PIP_AUDIT, "--strict", "--require-hashes", "--disable-pip", "-r", lock, *ignored]


def main() -> int:
    found = [subprocess.run(command(lock), cwd=ROOT, check=False).returncode for lock in LOCKS]
    for known, why in EXCEPTIONS.items():
        print(f"{known} is borne: {why}")
    return int(any(found))  # one that died by a signal has a negative code


if __name__ == "__main__":
    sys.exit(main())
