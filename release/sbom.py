"""What a release is made of, as a CycloneDX 1.6 bill of materials: every package that requirements.lock pins, each with
the sums of the files that may be installed as it, and where it is needed at all.

From the lock and pyproject.toml alone, so that the same tag gives the same bytes. Which package brings in which is not
in the lock, and is said to be incomplete.
"""

import json
import re
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from release.facts import DESCRIPTION, NAME

__all__ = ["Pin", "bill_of_materials", "pins"]

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)(?: ; ([^\\]+?))?(?: \\)?$")
_HASH = re.compile(r"^ +--hash=sha256:([0-9a-f]{64})(?: \\)?$")
_NAMESPACE = uuid.UUID("8f7bb0a5-8f5c-5f3e-9c55-0c1f7e2d4a14")  # of this program's bills, and nobody else's


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock. `marker` says where it is needed; empty: everywhere."""

    name: str
    version: str
    marker: str
    sha256: tuple[str, ...]

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"


def pins(lock: str) -> list[Pin]:
    """What a lock pins. Raises ValueError for a line that is none of its own, and for a package without a sum."""
    return list(_pins(lock))


def _pins(lock: str) -> Iterator[Pin]:
    pin, sums = None, list[str]()
    for line in [*lock.splitlines(), ""]:
        if found := _HASH.match(line):
            sums.append(found[1])
            continue
        if pin:
            if not sums:
                raise ValueError(f"{pin[1]} is pinned without a sum")
            yield Pin(pin[1], pin[2], (pin[3] or "").strip(), tuple(sums))
        pin, sums = _PIN.match(line), []
        if not pin and line and not line.startswith("#"):
            raise ValueError(f"no line of a lock: {line[:80]}")


def bill_of_materials(tree: Path, version: str, epoch: int) -> str:
    """Of the tree of a release, as JSON."""
    lock = (tree / "requirements.lock").read_text("utf-8")
    direct = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    wanted = {re.split(r"[\[<>=!~; ]", one, maxsplit=1)[0] for one in direct}
    pinned = pins(lock)
    if missing := wanted - {pin.name for pin in pinned}:
        raise ValueError(f"requirements.lock does not pin {', '.join(sorted(missing))}")
    itself = f"pkg:pypi/{NAME}@{version}"
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{version} {lock}')}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application", "bom-ref": itself, "name": NAME, "version": version, "purl": itself,
                "description": DESCRIPTION, "licenses": [{"license": {"id": "MIT"}}],
            },
        },
        "components": [_component(pin) for pin in pinned],
        "dependencies": [{"ref": itself, "dependsOn": sorted(pin.purl for pin in pinned if pin.name in wanted)}],
        "compositions": [{"aggregate": "incomplete", "dependencies": [itself]}],
    }  # fmt: skip
    return json.dumps(bill, indent=2, ensure_ascii=False) + "\n"


def _component(pin: Pin) -> dict[str, Any]:
    files = [{"alg": "SHA-256", "content": sha256} for sha256 in pin.sha256]
    needed = {"properties": [{"name": f"{NAME}:needed", "value": pin.marker}]} if pin.marker else {}
    return {
        "type": "library", "bom-ref": pin.purl, "name": pin.name, "version": pin.version, "purl": pin.purl,
        "externalReferences": [{"type": "distribution", "url": pin.purl, "hashes": files}], **needed,
    }  # fmt: skip
