"""`setup`, `login`, `logout` and `whoami` as a person at a terminal uses them, with the embedded ERPs on a port."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters

from fraction_mcp import sandbox
from fraction_mcp.cli import main
from fraction_mcp.cli.asking import choose, says_yes
from fraction_mcp.cli.currencies import currency
from tests.support import child_environment
from tests.terminal import Terminal, small_company, terminal
from tests.ways import Served, served

__all__ = ["small_company"]  # a fixture


@pytest.fixture
def erps(small_company: Path, tmp_path: Path) -> Iterator[Served]:
    import shutil

    company = Path(shutil.copy(small_company, tmp_path / "company.sqlite3"))
    with served(company) as serving:
        yield serving


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh home, with a Claude Desktop that has another server's entry."""
    for name in set(os.environ) - set(child_environment()):
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    (home / ".config" / "Claude").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", os.defpath)
    return home


def fills_in(screen: Terminal, erps: Served, password: str = sandbox.PASSWORD, code: str = "gbp") -> None:
    screen.until(r"FractionERP's address \[https://fraction\.app/api/v1\]: ")
    screen.types(f"{erps.base}{sandbox.FRACTION_PATH}\n")
    screen.until(r"E-mail: ")
    screen.types(f"{sandbox.EMAIL}\n")
    screen.until(r"Password \(not shown\): ")
    screen.types(f"{password}\n")
    if password == sandbox.PASSWORD:
        screen.until(r"base currency.*: ")
        screen.types(f"{code}\n")


@pytest.mark.smoke
@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="where Claude Desktop keeps its file is looked at on Linux here")
def test_setup_leads_from_nothing_to_an_assistant_whose_command_lists_tools(
    home: Path, keychain: Path, erps: Served
) -> None:
    file = home / ".config" / "Claude" / "claude_desktop_config.json"
    before = b'{\n  "mcpServers": {\n    "other": {"command": "other"}\n  }\n}\n'
    file.write_bytes(before)
    state = home / ".local" / "state" / "fraction-mcp"
    with terminal(state, "setup", environment=child_environment()) as screen:
        screen.until(r"Number \[1\]: ")
        screen.types("\n")
        fills_in(screen, erps)
        screen.until(r"Numbers, `all` or `none` \[all\]: ")
        screen.types("\n")
        assert screen.exit_code() == 0, screen.seen
    assert "of 'Harrow & Pike Precision Ltd'" in screen.seen
    assert "signed in, and a read works" in screen.seen
    assert "Kept as profile default; the secret is in the keychain (the tests' keychain)" in screen.seen
    assert sandbox.PASSWORD not in screen.seen
    assert sandbox.PASSWORD not in "".join(path.read_text("utf-8", "replace") for path in home.rglob("*.json"))
    assert sandbox.PASSWORD in keychain.read_text("utf-8")

    entry = json.loads(file.read_bytes())["mcpServers"]["fraction"]
    assert Path(entry["command"]).is_absolute()
    assert "env" not in entry

    async def price() -> str:
        server = StdioServerParameters(command=entry["command"], args=entry["args"], env=child_environment())
        with anyio.fail_after(60):
            async with Client(server) as client:
                assert "get_price_for_quantity" in {tool.name for tool in (await client.list_tools()).tools}
                asked = {"part": "WIDGET-001", "quantity": 250, "customer": "Acme Corp"}
                return str((await client.call_tool("get_price_for_quantity", asked)).structured_content)

    assert "2500.00 GBP" in anyio.run(price), "the stored account, address and currency"
    with terminal(state, "uninstall", "claude-desktop", environment=child_environment()) as screen:
        assert screen.exit_code() == 0
    assert file.read_bytes() == before


@pytest.mark.process
def test_a_wrong_password_is_told_and_asked_again_and_nothing_is_kept_before_it_works(
    home: Path, keychain: Path, erps: Served
) -> None:
    state = home / "state"
    with terminal(state, "login", environment=child_environment()) as screen:
        screen.until(r"Number \[1\]: ")
        screen.types("1\n")
        fills_in(screen, erps, password="canary-wrong-1")
        screen.until(r"(?s)FractionERP refused.*E-mail: ")
        assert not (state / "profile.json").exists()
        screen.types("\x04")
        assert screen.exit_code() == 3
    assert "what was not finished was not kept" in screen.seen
    assert "canary-wrong-1" not in screen.seen
    assert not (state / "profile.json").exists()


@pytest.mark.process
def test_a_plan_without_api_access_shows_before_anything_is_kept(home: Path, keychain: Path, erps: Served) -> None:
    erps.app.state.faults.arm("status", path="/parts*", status=403, code="PLAN_RESTRICTED", times=9)
    with terminal(home / "state", "login", environment=child_environment()) as screen:
        screen.until(r"Number \[1\]: ")
        screen.types("1\n")
        screen.until(r"address")
        screen.types(f"{erps.base}{sandbox.FRACTION_PATH}\n")
        screen.until(r"E-mail: ")
        screen.types(f"{sandbox.EMAIL}\n")
        screen.until(r"not shown\): ")
        screen.types(f"{sandbox.PASSWORD}\n")
        screen.until(r"(?s)plan.*E-mail: ")
        screen.types("\x04")
        assert screen.exit_code() == 3
    assert not (home / "state" / "profile.json").exists()


@pytest.mark.parametrize("command", ["setup", "login"])
def test_without_a_terminal_the_way_for_programs_is_named(
    command: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command]) == 2
    assert "FRACTION_EMAIL and FRACTION_PASSWORD_FILE name an account" in capsys.readouterr().err


@pytest.mark.process
def test_whoami_and_logout_by_profile(
    home: Path, keychain: Path, erps: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = home / "state"
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(state))
    with terminal(state, "login", "--profile", "north", environment=child_environment()) as screen:
        screen.until(r"Number \[1\]: ")
        screen.types("1\n")
        fills_in(screen, erps)
        assert screen.exit_code() == 0, screen.seen
    assert main(["whoami", "--profile", "north"]) == 0
    told = capsys.readouterr().out
    assert "profile north" in told
    assert "as demo@harrow-pike.example, plan pro: signed in, and a read works." in told
    assert "its secret: in the keychain (the tests' keychain)" in told
    assert main(["whoami", "--profile", "north", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["profile"], data["profiles"]) == ("north", ["north"])
    assert data["journal"] == str(state / "profiles" / "north" / "journal.sqlite3")
    assert main(["whoami"]) == 2, "there is no default one"
    capsys.readouterr()
    assert main(["logout", "--profile", "north"]) == 0
    assert "Forgotten: FractionERP as demo@harrow-pike.example" in capsys.readouterr().out
    assert json.loads(keychain.read_text("utf-8")) == {}
    assert main(["whoami", "--profile", "north"]) == 2
    assert "there is no profile north" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.process
def test_a_locked_keychain_is_told_in_a_call_with_the_mend(
    home: Path, keychain: Path, erps: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fraction_mcp.accounts import keep_account

    state = home / "state"
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(state))
    address = erps.base + sandbox.FRACTION_PATH
    keep_account(state, "default", "fractionerp", base_url=address, account=sandbox.EMAIL, secret="canary-secret")
    monkeypatch.setenv("TEST_KEYCHAIN_LOCKED", "1")
    assert main(["call", "search_parts"]) == 2
    said = capsys.readouterr()
    assert "NOT_CONFIGURED: the keychain could not be read (KeyringLocked): unlock it" in said.err
    assert "canary" not in said.out + said.err


# -------------------------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize(("typed", "meant"), [("y", True), ("YES", True), ("n", False), ("no", False), ("", True)])
def test_y_and_yes_mean_the_same_where_nothing_is_approved(
    typed: str, meant: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = iter(["perhaps\n", f"{typed}\n"])
    monkeypatch.setattr("sys.stdin", type("Typed", (), {"readline": lambda _: next(lines)})())
    assert says_yes("Change that?") is meant


@pytest.mark.parametrize(("typed", "chosen"), [("1, 3", [0, 2]), ("all", [0, 1, 2]), ("none", []), ("2 2", [1])])
def test_several_are_ticked_by_their_numbers(typed: str, chosen: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = iter(["4\n", "x\n", f"{typed}\n"])
    monkeypatch.setattr("sys.stdin", type("Typed", (), {"readline": lambda _: next(lines)})())
    assert choose("Numbers", ["a", "b", "c"], several=True) == chosen


def test_a_currency_is_one_of_iso_4217_s() -> None:
    assert currency(" gbp ") == "GBP"
    with pytest.raises(ValueError, match=r"'GPB' is no currency's three letters; did you mean GBP\?"):
        currency("GPB")
