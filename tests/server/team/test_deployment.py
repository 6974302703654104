"""docs/deployment.md and compose.yaml say what the program takes: their flags, settings and figures are its own."""

import io
import json
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from fraction_mcp import loopback
from fraction_mcp.cli.parser import parser
from fraction_mcp.config import Settings
from fraction_mcp.server.team import front, http, people, store_grants
from fraction_mcp.server.team.client_documents import CLIENT_HOSTS
from fraction_mcp.server.team.metrics import Metrics
from fraction_mcp.server.team.options import Asked, TeamOptions, team_options
from fraction_mcp.server.team.store_tables import metadata
from fraction_mcp.server.team.turns import Limits, Turns

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "deployment.md").read_text("utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text("utf-8")
KNOWN = {info.alias or field.upper() for field, info in Settings.model_fields.items()}


def options_of(words: list[str], monkeypatch: pytest.MonkeyPatch) -> TeamOptions:
    asked = vars(parser().parse_args(words))
    monkeypatch.setenv("FRACTION_MCP_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("FRACTION_MCP_PUBLIC_URL", "https://tools.example.com")
    given = {name: asked[name] for name in Asked.__dataclass_fields__}
    return team_options(Settings.load(stored=False), Asked(**given), host=asked["host"])


def test_the_replicas_of_compose_start_with_what_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (words,) = [found for found in map(json.loads, re.findall(r"command: (\[.*\])", COMPOSE)) if found[0] == "serve"]
    options = options_of(words, monkeypatch)
    (proxy,) = options.trusted_proxies
    assert f"subnet: {proxy}" in COMPOSE
    assert str(options.metrics_port) in PAGE


def test_the_unit_of_systemd_starts_with_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", PAGE, re.M)
    program, *words = shlex.split(line)
    assert program.endswith("/fraction-mcp")
    assert options_of(words, monkeypatch).auth == "sign-in"


@pytest.mark.parametrize("text", [PAGE, COMPOSE], ids=["deployment.md", "compose.yaml"])
def test_every_setting_that_is_named_is_one(text: str) -> None:
    assert set(re.findall(r"\b(?:FRACTION|FRACTTAL)_[A-Z_]+\b", text)) <= KNOWN


def test_the_figures_of_its_limits_are_the_programs() -> None:
    limits = Limits()
    for figure in (
        f"| {http._MOST_CONNECTIONS:,}, or",
        f"| {http._MOST_OF_AN_ADDRESS} |",
        f"| {loopback.REQUEST_S:g} s |",
        f"| {loopback.STALL_S:g} s |",
        f"of a listed proxy {loopback.PROXY_IDLE_S:g} s",
        f"| {front.LARGEST_HEAD // 1024} KiB |",
        f"| {front.LARGEST_REQUEST // 1024**2} MiB |",
        f"| {limits.each_at_once}, and {limits.each_waiting} that wait |",
        f"| {limits.at_once}, and {limits.waiting} that wait |",
        f"| {limits.wait_s:g} s |",
        f"| {limits.call_s / 60:g} minutes |",
        f"For {http._DRAIN_S:g} s",
        f"has {http._GRACE_S:g} s",
    ):
        assert figure in PAGE


async def _none() -> dict[object, int]:
    return {}


def test_every_metric_is_told_with_its_labels() -> None:
    metrics = Metrics(writes=_none, live_sessions=lambda: 0, turns=Turns(Limits()))  # type: ignore[arg-type]
    named = {one.name for one in metrics.registry.collect() if one.name.startswith("fraction_mcp")}
    told = {name.removesuffix("_total") for name in re.findall(r"`(fraction_mcp_[a-z_]+)`", PAGE)}
    assert told == named


@pytest.mark.parametrize(
    "words", sorted(set(re.findall(r"^fraction-mcp ((?:migrate|audit|writes)\b[^>\n]*)", PAGE, re.M)))
)
def test_every_command_of_the_journal_s_care_is_one(words: str) -> None:
    parser().parse_args(shlex.split(words))


def test_every_flag_that_is_named_is_one_of_serve() -> None:
    with pytest.raises(SystemExit) as left, redirect_stdout(io.StringIO()) as told:
        parser().parse_args(["serve", "--help"])
    assert left.value.code == 0
    told_elsewhere = {"--verify", "--anchor", "--detach", "--build", "--wait", "--reference", "--transport"}
    told_elsewhere |= set(re.findall(r"--[a-z-]+", "".join(re.findall(r"^pg_(?:dump|restore) .*$", PAGE, re.M))))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) - told_elsewhere
    assert named <= set(re.findall(r"--[a-z][a-z-]+", told.getvalue()))


def test_a_restored_journal_brings_back_nobody_s_sign_in() -> None:
    who_is_in = {"team_people", "team_grants", "team_access", "team_codes", "team_browsers"}
    assert who_is_in <= set(metadata.tables)
    assert all(name.startswith("team_") for name in metadata.tables), "what pg_dump leaves out"
    assert set(re.findall(r"DELETE FROM (\w+)", PAGE)) == who_is_in


def test_the_figures_of_people_are_the_programs() -> None:
    assert f"{people._MOST_LIVE:,} people at the most" in PAGE
    assert people._IDLE_S == 1_800, "the last half-hour"
    assert f"refresh tokens live {store_grants._REFRESH_S / 86_400:g} days" in PAGE
    assert {"claude.ai", "chatgpt.com", "vscode.dev"} <= set(CLIENT_HOSTS)
