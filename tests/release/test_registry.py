"""server.json, held against the schema that the MCP registry publishes."""

import copy
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import platformdirs
import pytest

from release.facts import FIELDS, REGISTRY_NAME
from release.registry import SCHEMA, check_server_json, server_json
from tests.release.conftest import ROOT, only, tried

# The schema is MIT-licensed, but its examples name package indexes, which no file of this repository does. This package
# of somebody else's carries it, beside its licence and where it comes from.
CARRIER = "skillsaw==0.22.0"
INSIDE = "skillsaw/schemas/mcp_registry/v2025_12_11/server.schema.json"
DOWNLOADS = "https://github.com/someone/fraction-mcp/releases/download"


def described(**different: str) -> dict[str, Any]:
    usual = {"bundle": "fraction-mcp-1.2.3.mcpb", "sha256": "a" * 64, "downloads": DOWNLOADS}
    return server_json("1.2.3", **{**usual, **different})


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    folder = platformdirs.user_cache_path("fraction-mcp-tests", appauthor=False) / CARRIER
    if not list(folder.glob("*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
        tried([*pip, "-d", str(folder), CARRIER])
    with zipfile.ZipFile(only(folder, "*.whl")) as wheel:
        found: dict[str, Any] = json.loads(wheel.read(INSIDE))
    assert found["$id"] == SCHEMA
    return found


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("downloads", [DOWNLOADS, ""])
def test_it_is_what_the_published_schema_asks_for(schema: dict[str, Any], downloads: str) -> None:
    validator = jsonschema.Draft7Validator(schema)
    assert list(validator.iter_errors(described(downloads=downloads))) == []
    assert list(validator.iter_errors({**described(), "description": "x" * 101})), "the schema is a schema"


def test_the_bundle_is_named_once_it_is_known_where_it_is_downloaded_from() -> None:
    both, one = (described(downloads=downloads)["packages"] for downloads in (DOWNLOADS + "/", ""))
    assert [package["registryType"] for package in both] == ["pypi", "mcpb"]
    assert both[1]["identifier"] == f"{DOWNLOADS}/v1.2.3/fraction-mcp-1.2.3.mcpb"
    assert [package["registryType"] for package in one] == ["pypi"]


def test_the_readme_bears_the_mark_of_the_same_name() -> None:
    assert f"<!-- mcp-name: {REGISTRY_NAME} -->" in (ROOT / "README.md").read_text("utf-8")


def test_every_secret_is_marked_as_one() -> None:
    variables = described()["packages"][0]["environmentVariables"]
    assert {each["name"] for each in variables if each["isSecret"]} == {f.variable for f in FIELDS if f.secret}
    assert {"FRACTION_PASSWORD", "FRACTTAL_CLIENT_SECRET"} <= {each["name"] for each in variables if each["isSecret"]}


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("description",), "x" * 101, "at most 100"),
        (("name",), "fraction-mcp", "no reverse domain name"),
        (("packages", 0, "version"), "latest", "not one exact version"),
        (("packages", 0, "version"), "1.2.4", "not of this version"),
        (("packages", 1, "fileSha256"), "", "fileSha256"),
        (("packages", 1, "identifier"), "https://example.com/a.mcpb", "only releases on GitHub and GitLab"),
    ],
)
def test_what_the_registry_would_refuse_is_refused(path: tuple[str | int, ...], value: str, told: str) -> None:
    broken: Any = copy.deepcopy(described())
    inner = broken
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(ValueError, match=re.escape(told)):
        check_server_json(broken)


def test_the_bundle_that_was_built_is_the_one_that_is_named(built: Path) -> None:
    packages = json.loads((built / "server.json").read_text("utf-8"))["packages"]
    assert packages[0]["version"] in only(built, "*.mcpb").name
