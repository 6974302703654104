"""The .mcpb bundle: its form, what the specification's own tool says of it, and that it starts as it is installed."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import util
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from fraction_mcp.config import Settings
from release.bundle import check_manifest, write_zip
from release.facts import FIELDS
from tests.release.conftest import ROOT, offered, only, tried

VALIDATOR = "2.1.2"
SAID = {"fraction_email": "a@b.example", "fraction_password": "sekret", "fraction_currency": " gbp ", "sandbox": False}


@pytest.fixture
def unpacked(built: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(only(built, "*.mcpb")) as bundle:
        bundle.extractall(tmp_path / "bundle")
    return tmp_path / "bundle"


def manifest_of(unpacked: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((unpacked / "manifest.json").read_text("utf-8"))
    return manifest


def substituted(text: str, unpacked: Path, said: dict[str, Any], *, defaults: bool = True) -> str:
    """As MCPB's specification has it: the folder, and what was filled in, or a field's default, or the placeholder."""
    form = manifest_of(unpacked)["user_config"]
    filled = {**({key: field["default"] for key, field in form.items()} if defaults else {}), **said}
    text = text.replace("${__dirname}", str(unpacked))
    for key, value in filled.items():
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        text = text.replace(f"${{user_config.{key}}}", shown)
    return text


def started(unpacked: Path, uv: str, home: Path, said: dict[str, Any], *, defaults: bool = True) -> set[str]:
    """The tools that a program gets which starts the bundle by its manifest."""
    server = manifest_of(unpacked)["server"]["mcp_config"]
    assert server["command"] == "uv", "the program's own uv is what runs it"
    environment = {
        **{name: substituted(text, unpacked, said, defaults=defaults) for name, text in server["env"].items()},
        **{name: os.environ[name] for name in ("SSL_CERT_FILE", "SYSTEMROOT", "TEMP") if name in os.environ},
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "UV_CACHE_DIR": str(platformdirs.user_cache_path("fraction-mcp-tests", appauthor=False) / "uv"),
        "UV_PYTHON": sys.executable,
    }
    return offered(uv, [substituted(word, unpacked, said, defaults=defaults) for word in server["args"]], environment)


@pytest.mark.process
@pytest.mark.slow
def test_the_bundle_starts_from_its_manifest_and_lists_its_tools(unpacked: Path, index: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    every = started(unpacked, index, home, {"sandbox": True})
    assert every >= {tool["name"] for tool in manifest_of(unpacked)["tools"]} - {"confirm_write"}
    with_an_account = started(unpacked, index, home, SAID)
    assert "create_enquiry" in with_an_account
    assert "create_fracttal_purchase_order" not in with_an_account, "Fracttal was left empty"
    assert started(unpacked, index, home, SAID, defaults=False) == with_an_account, "placeholders count as left empty"


def arguments(unpacked: Path, given: list[str], environ: dict[str, str]) -> list[str]:
    spec = util.spec_from_file_location("bundled_server", unpacked / "server.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    words: list[str] = module.arguments(given, environ)
    return words


def test_what_was_left_out_of_the_form_is_not_set(unpacked: Path) -> None:
    environ = {"FRACTTAL_CLIENT_ID": "${user_config.fracttal_client_id}", "FRACTION_CURRENCY": " gbp", "PATH": "/bin"}
    assert arguments(unpacked, ["--sandbox=${user_config.sandbox}"], environ) == ["serve"]
    assert environ == {"FRACTION_CURRENCY": "GBP", "PATH": "/bin"}
    assert arguments(unpacked, ["--sandbox=true"], {}) == ["serve", "--sandbox"]
    assert arguments(unpacked, ["--sandbox=false"], {}) == ["serve"]


def test_the_form_asks_for_the_settings_of_an_account_and_keeps_secrets(unpacked: Path) -> None:
    manifest = manifest_of(unpacked)
    environment = manifest["server"]["mcp_config"]["env"]
    assert set(environment) <= {name.upper() for name in Settings.model_fields}
    form = manifest["user_config"]
    assert {key for key, field in form.items() if field.get("sensitive")} == {
        "fraction_password", "fracttal_client_id", "fracttal_client_secret",
    }  # fmt: skip
    assert form["sandbox"]["type"] == "boolean"
    assert set(form) == {field.key for field in FIELDS} | {"sandbox"}


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("user_config", "more"), {"default": ""}, "asked for and not used"),
        (("version",), "1.0", "no semantic version"),
        (("icon",), "other.png", "a file that is named is missing"),
        (("user_config", "fraction_password", "sensitive"), False, "a secret would be shown"),
        (("user_config", "fraction_email"), {}, "has no default"),
        (("server", "mcp_config", "args"), ["${user_config.fraction_password}"], "a secret is an argument"),
    ],
)
def test_a_manifest_that_would_not_do_is_refused(
    unpacked: Path, path: tuple[str, ...], value: object, told: str
) -> None:
    files = {each.name: b"" for each in unpacked.iterdir()}
    manifest = manifest_of(unpacked)
    check_manifest(manifest, files)
    broken = copy.deepcopy(manifest)
    inner = broken
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(ValueError, match=re.escape(told)):
        check_manifest(broken, files)


@pytest.mark.process
@pytest.mark.slow
def test_the_specification_s_own_tool_finds_nothing_wrong(unpacked: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node.js (node and npm) is not installed")
    folder = platformdirs.user_cache_path("fraction-mcp-tests", appauthor=False) / f"mcpb-{VALIDATOR}"
    program = folder / "node_modules/@anthropic-ai/mcpb/dist/cli/cli.js"
    if not program.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
        tried([*install, f"@anthropic-ai/mcpb@{VALIDATOR}"])
    validate = [node, str(program), "validate", str(unpacked / "manifest.json")]
    done = subprocess.run(validate, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert "Manifest schema validation passes" in done.stdout, done.stdout + done.stderr
    assert "Icon validation passed" in done.stdout


def test_a_zip_before_zips_began_is_still_one(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"b": b"2", "a": b"1"}, epoch=0)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["a", "b"]
        assert archive.testzip() is None


def test_the_bundle_s_script_is_part_of_the_sources() -> None:
    assert (ROOT / "release/bundle/server.py").is_file()
