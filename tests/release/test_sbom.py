"""What a release says that it is made of."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fraction_mcp import __version__
from release.audit import EXCEPTIONS, LOCKS, command, main
from release.sbom import bill_of_materials, pins
from tests.release.conftest import ROOT

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
EPOCH = 1_795_200_000


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(bill_of_materials(ROOT, __version__, EPOCH))
    return made


def test_every_package_of_the_lock_stands_in_it_with_all_of_its_sums_and_nothing_else(bill: dict[str, Any]) -> None:
    stand = {
        component["purl"]: {each["content"] for each in component["externalReferences"][0]["hashes"]}
        for component in bill["components"]
    }
    assert len(stand) == len(bill["components"]) == len(re.findall(r"^\S+==", LOCK, re.M))
    for purl, sums in stand.items():
        name, version = purl.removeprefix("pkg:pypi/").split("@")
        (block,) = re.findall(rf"^{re.escape(name)}=={re.escape(version)}[ \n](.*?)(?=^\S|\Z)", LOCK, re.M | re.S)
        assert sums == set(re.findall(r"sha256:(\w+)", block))


def test_it_names_the_program_its_version_and_what_it_needs_itself(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["timestamp"] == "2026-11-20T18:40:00Z"
    assert bill["metadata"]["component"]["purl"] == f"pkg:pypi/fraction-mcp@{__version__}"
    (itself,) = bill["dependencies"]
    refs = {component["bom-ref"] for component in bill["components"]}
    assert {"mcp", "httpx", "pydantic", "sqlalchemy"} <= {re.split("[/@]", ref)[1] for ref in itself["dependsOn"]}
    assert set(itself["dependsOn"]) < refs


def test_the_same_lock_gives_the_same_bytes_and_another_one_another_number(tmp_path: Path) -> None:
    first = bill_of_materials(ROOT, __version__, EPOCH)
    assert bill_of_materials(ROOT, __version__, EPOCH) == first
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    with (tmp_path / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write(f"zzz==1 ; sys_platform == 'win32' \\\n    --hash=sha256:{'0' * 64}\n")
    other = bill_of_materials(tmp_path, __version__, EPOCH)
    assert json.loads(other)["serialNumber"] != json.loads(first)["serialNumber"]
    assert json.loads(other)["components"][-1]["properties"][0]["value"] == "sys_platform == 'win32'"


@pytest.mark.parametrize(
    ("lock", "told"),
    [
        ("anyio==4.16.0\n", "anyio is pinned without a sum"),
        ("anyio>=4\n", "no line of a lock: anyio>=4"),
        ("anyio @ git+ssh://example.com/x\n", "no line of a lock"),
    ],
)
def test_a_lock_that_does_not_pin_by_sums_is_refused(lock: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        pins(lock)


@pytest.mark.parametrize("lock", LOCKS)
def test_each_lock_pins_every_package_by_version_and_sums(lock: str) -> None:
    assert len(pins((ROOT / lock).read_text("utf-8"))) > 40


def test_no_two_locks_pin_a_package_differently() -> None:
    """What was tested is what a server runs."""
    stand: dict[str, dict[str, set[tuple[str, tuple[str, ...]]]]] = {}
    for lock in LOCKS:
        for pin in pins((ROOT / lock).read_text("utf-8")):
            stand.setdefault(pin.name, {}).setdefault(lock, set()).add((pin.version, pin.sha256))
    apart = {name: of for name, of in stand.items() if any(pinned != next(iter(of.values())) for pinned in of.values())}
    assert apart == {}


def test_every_lock_is_audited_and_an_audit_that_dies_is_no_clean_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {path.name for path in ROOT.glob("requirements*.lock")} == set(LOCKS)
    codes = iter([0, -9, 0])

    def died(words: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(words, next(codes))

    monkeypatch.setattr(subprocess, "run", died)
    assert main() == 1


def test_an_audit_that_cannot_look_something_up_fails_and_each_exception_has_its_reason() -> None:
    words = command("requirements.lock")
    assert "--strict" in words
    assert [words[at + 1] for at, word in enumerate(words) if word == "--ignore-vuln"] == list(EXCEPTIONS)
    assert all(len(reason) > 40 for reason in EXCEPTIONS.values())
