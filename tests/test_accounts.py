"""Stored accounts: what is kept where, what wins over what, and that no secret is anywhere but where it is kept."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import keyring
import pytest

from fraction_mcp.accounts import forget_profile, keep_account, profile_names, read_profile
from fraction_mcp.config import Settings
from fraction_mcp.errors import ConfigError
from tests.support import child_environment

PASSWORD = "canary-password-77aa"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in set(os.environ) - set(child_environment()):
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def keep(root: Path, profile: str = "default", email: str = "jo@works.example") -> None:
    folder = root if profile == "default" else root / "profiles" / profile
    where = {"base_url": "https://erp.example/api", "account": email, "currency": "GBP"}
    keep_account(folder, profile, "fractionerp", secret=PASSWORD, **where)


def everything(root: Path) -> str:
    return "".join(path.read_text("utf-8") for path in root.rglob("*") if path.is_file())


def test_a_profile_fills_the_settings_and_its_secret_lies_in_the_keychain_alone(root: Path, keychain: Path) -> None:
    keep(root)
    assert PASSWORD in keychain.read_text("utf-8")
    assert PASSWORD not in everything(root)
    settings = Settings.load()
    assert settings.fraction_configured
    assert (settings.fraction_email, settings.fraction_currency) == ("jo@works.example", "GBP")
    assert settings.fraction_base_url == "https://erp.example/api"
    assert PASSWORD not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert settings.fraction_password.get_secret_value() == PASSWORD
    assert PASSWORD not in f"{settings!r} {settings}", "nor once it was fetched"


def test_without_a_keychain_it_is_a_file_of_its_owner_s_alone(root: Path) -> None:
    keep(root)
    file = root / "secrets.json"
    assert PASSWORD in file.read_text("utf-8")
    assert sys.platform == "win32" or stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.kept_in for each in read_profile(root)] == ["file"]
    assert Settings.load().fraction_password.get_secret_value() == PASSWORD


def test_a_keychain_is_not_asked_before_the_secret_is_used(
    root: Path, keychain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(root)
    monkeypatch.setenv("TEST_KEYCHAIN_LOCKED", "1")
    settings = Settings.load()
    assert settings.fraction_configured
    with pytest.raises(ConfigError, match=r"the keychain could not be read \(KeyringLocked\): unlock it") as caught:
        settings.fetch_secrets()
    assert "canary" not in str(caught.value)
    monkeypatch.delenv("TEST_KEYCHAIN_LOCKED")
    settings.fetch_secrets()
    assert settings.fraction_password.get_secret_value() == PASSWORD, "it was unlocked"


def test_a_secret_that_is_gone_is_told_with_the_mend(root: Path, keychain: Path) -> None:
    keep(root)
    keychain.unlink()
    with pytest.raises(ConfigError, match=r"the secret of jo@works\.example is no longer in the keychain"):
        Settings.load().fetch_secrets()


def test_logging_out_forgets_both(root: Path, keychain: Path) -> None:
    keep(root)
    assert [each.account for each in forget_profile(root)] == ["jo@works.example"]
    assert json.loads(keychain.read_text("utf-8")) == {}
    assert not Settings.load().fraction_configured
    assert forget_profile(root) == []


def test_a_new_account_takes_the_place_and_the_secret_of_the_old_one(root: Path, keychain: Path) -> None:
    keep(root)
    keep(root, email="sam@works.example")
    assert len(json.loads(keychain.read_text("utf-8"))) == 1
    assert Settings.load().fraction_email == "sam@works.example"


def test_each_profile_is_an_account_and_a_journal_of_its_own(root: Path) -> None:
    keep(root)
    keep(root, "north", "n@north.example")
    assert profile_names(root) == ["default", "north"]
    assert Settings.load().state_folder() == root
    north = Settings.load("north")
    assert (north.fraction_email, north.state_folder()) == ("n@north.example", root / "profiles" / "north")


def test_a_profile_is_named_in_the_environment_or_before_it_on_the_command_line(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(root, "north", "n@north.example")
    keep(root, "south", "s@south.example")
    monkeypatch.setenv("FRACTION_MCP_PROFILE", "north")
    assert Settings.load().fraction_email == "n@north.example"
    assert Settings.load("south").fraction_email == "s@south.example"


def test_a_profile_that_is_not_there_is_told_with_the_mend(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no profile east; `fraction-mcp login --profile east` makes it"):
        Settings.load("east")


@pytest.mark.parametrize("name", ["../out", ".hidden", "-x", "", "a/b", "x" * 65])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name:
        with pytest.raises(ConfigError, match="FRACTION_MCP_PROFILE"):
            Settings.load(name)
    else:
        assert Settings.load(name).profile == "default"


def test_the_environment_s_account_wins_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(root)
    monkeypatch.setenv("FRACTTAL_CLIENT_ID", "x")
    monkeypatch.setenv("FRACTTAL_CLIENT_SECRET", "y")
    assert not Settings.load().fraction_configured, "another company's account is not mixed in"
    assert Settings.load("default").fraction_configured, "unless the profile was named"
    monkeypatch.setenv("FRACTION_EMAIL", "other@works.example")
    with pytest.raises(ConfigError, match="FRACTION_EMAIL is set, but FRACTION_PASSWORD is not"):
        Settings.load("default")


@pytest.mark.parametrize("given", [{}, {"FRACTION_MCP_PROFILE": "default"}], ids=["unnamed", "named"])
def test_a_stored_password_never_goes_to_an_address_that_it_was_not_stored_for(
    root: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    keep(root)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FRACTION_BASE_URL", "https://elsewhere.example/api")
    with pytest.raises(
        ConfigError, match="FRACTION_BASE_URL is set, but the account of profile default is for https://erp"
    ):
        Settings.load()


@pytest.mark.parametrize(
    "spoilt", ["{", "[]", '{"fractionerp": {}}', '{"fractionerp": {"base_url": 1}}', '{"fractionerp": null}']
)
def test_a_damaged_profile_is_told_with_the_mend(root: Path, spoilt: str) -> None:
    keep(root)
    (root / "profile.json").write_text(spoilt, "utf-8")
    with pytest.raises(ConfigError, match=r"profile\.json is damaged"):
        Settings.load()


def test_an_address_in_a_profile_is_held_to_the_same_rule(root: Path) -> None:
    keep(root)
    path = root / "profile.json"
    path.write_text(path.read_text("utf-8").replace("https://", "http://"), "utf-8")
    with pytest.raises(ConfigError, match="must begin with https://"):
        Settings.load()


def test_no_test_ever_reaches_the_machine_s_keychain() -> None:
    assert type(keyring.get_keyring()).__module__ == "keyring.backends.null"


@pytest.mark.process
def test_a_profile_loads_no_keychain_before_its_secret_is_used(root: Path) -> None:
    keep(root)
    code = (
        "import sys; from fraction_mcp.config import Settings; s = Settings.load(); assert s.fraction_configured; "
        "print('keyring' in sys.modules); s.fetch_secrets()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60,
        env=child_environment(FRACTION_MCP_STATE_DIR=str(root)),
    )  # fmt: skip
    assert ran.stdout == "False\n"
