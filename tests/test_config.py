"""Settings: the names of the contract, their defaults, and how a mistake is told."""

import os
import traceback
from pathlib import Path
from typing import Any

import pytest

from fraction_mcp.config import Settings, nothing_configured, unused_names
from fraction_mcp.errors import ConfigError

# name, the field, its default, a value, what that is read as
CONTRACT = [
    ("FRACTION_BASE_URL", "fraction_base_url", "https://fraction.app/api/v1", "https://erp.test/v1/", "https://erp.test/v1"),
    ("FRACTION_EMAIL", "fraction_email", "", "a@b.test", "a@b.test"),
    ("FRACTION_PASSWORD", "fraction_password", "", "pw", "pw"),
    ("FRACTION_CURRENCY", "fraction_currency", "", "GBP", "GBP"),
    ("FRACTTAL_BASE_URL", "fracttal_base_url", "https://app.fracttal.com/api", "http://127.0.0.1:1/x", "http://127.0.0.1:1/x"),
    ("FRACTTAL_TOKEN_URL", "fracttal_token_url", "https://one.fracttal.com/oauth/token", "https://t.test/t", "https://t.test/t"),
    ("FRACTTAL_CLIENT_ID", "fracttal_client_id", "", "id", "id"),
    ("FRACTTAL_CLIENT_SECRET", "fracttal_client_secret", "", "secret", "secret"),
    ("FRACTION_MCP_CONFIRM", "confirm", "human", "two_step", "two_step"),
    ("FRACTION_MCP_APPROVERS", "approvers", "", "create_part: a@b.test", "create_part: a@b.test"),
    ("FRACTION_MCP_ELICITATION", "elicitation", "auto", "off", "off"),
    ("FRACTION_MCP_STRUCTURED", "structured", "on", "off", "off"),
    ("FRACTION_MCP_READ_ONLY", "read_only", False, "true", True),
    ("FRACTION_MCP_STATE_DIR", "state_dir", None, "/somewhere", Path("/somewhere")),
    ("FRACTION_MCP_DATABASE_URL", "database_url", "", "postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
    ("FRACTION_MCP_SECRET_KEY", "secret_key", "", "k" * 32, "k" * 32),
    ("FRACTION_MCP_PUBLIC_URL", "public_url", "", "https://Tools.example.com/", "https://tools.example.com"),
    ("FRACTION_MCP_ALLOWED_HOSTS", "allowed_hosts", "", "a.example, b.example:8443", "a.example, b.example:8443"),
    ("FRACTION_MCP_OPEN_INBOX", "open_inbox", True, "0", False),
    ("FRACTION_MCP_NOTIFY_URL", "notify_url", "", "https://chat.test/hook?x=1", "https://chat.test/hook?x=1"),
    ("FRACTION_MCP_APPROVAL_TTL_S", "approval_ttl_s", 86_400, "600", 600),
    ("FRACTION_MCP_CACHE_S", "cache_s", 30, "0", 0),
    ("FRACTION_MCP_TIMEOUT_S", "timeout_s", 30, "2.5", 2.5),
    ("FRACTION_PASSWORD_FILE", "fraction_password_file", None, "SECRET_FILE", Path("SECRET_FILE")),
    ("FRACTTAL_CLIENT_SECRET_FILE", "fracttal_client_secret_file", None, "SECRET_FILE", Path("SECRET_FILE")),
    ("FRACTION_MCP_PROFILE", "profile", "default", "works", "works"),
    ("FRACTION_MCP_LOG_FORMAT", "log_format", "text", "json", "json"),
    ("FRACTION_MCP_LOG_LEVEL", "log_level", "WARNING", "DEBUG", "DEBUG"),
]  # fmt: skip
PAIRS = {
    "FRACTION_EMAIL": "FRACTION_PASSWORD",
    "FRACTION_PASSWORD": "FRACTION_EMAIL",
    "FRACTTAL_CLIENT_ID": "FRACTTAL_CLIENT_SECRET",
    "FRACTTAL_CLIENT_SECRET": "FRACTTAL_CLIENT_ID",
}
SECRETS = ["FRACTION_PASSWORD", "FRACTTAL_CLIENT_SECRET", "FRACTION_MCP_DATABASE_URL", "FRACTION_MCP_SECRET_KEY"]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "SECRET_FILE").write_text("from a file\n", "utf-8")
    for name in list(os.environ):
        if name.upper().startswith(("FRACTION", "FRACTTAL")):
            monkeypatch.delenv(name)


def value_of(settings: Settings, field: str) -> object:
    value = getattr(settings, field)
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def refusal() -> str:
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    return str(caught.value)


@pytest.mark.parametrize("row", CONTRACT, ids=lambda row: row[0])
def test_a_name_of_the_contract_has_its_default_and_is_read(
    monkeypatch: pytest.MonkeyPatch, row: tuple[Any, ...] | tuple[str, ...]
) -> None:
    name, field, default, text, read = row
    assert value_of(Settings.load(), field) == default
    monkeypatch.setenv(name, text)
    if name.removesuffix("_FILE") in PAIRS:
        monkeypatch.setenv(PAIRS[name.removesuffix("_FILE")], "other half")
    if name == "FRACTION_MCP_PROFILE":  # of an account in the environment, it names the journal's folder alone
        monkeypatch.setenv("FRACTION_EMAIL", "a@b.test")
        monkeypatch.setenv("FRACTION_PASSWORD", "pw")
    assert value_of(Settings.load(), field) == read


def test_the_contract_names_every_setting() -> None:
    assert {field for _, field, *_ in CONTRACT} == set(Settings.model_fields)


@pytest.mark.parametrize(("name", "field", "default"), [row[:3] for row in CONTRACT])
def test_an_empty_value_is_as_good_as_none(
    monkeypatch: pytest.MonkeyPatch, name: str, field: str, default: int | str | None
) -> None:
    monkeypatch.setenv(name, "")
    assert value_of(Settings.load(), field) == default


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("FRACTION_MCP_READONLY", "FRACTION_MCP_READ_ONLY"),
        ("FRACTION_MCP_TIMEOUT", "FRACTION_MCP_TIMEOUT_S"),
        ("fraction_mcp_confrim", "FRACTION_MCP_CONFIRM"),
        ("FRACTION_MCP_", "FRACTION_MCP_"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(
    monkeypatch: pytest.MonkeyPatch, wrong: str, near: str
) -> None:
    monkeypatch.setenv(wrong, "1")
    said = refusal()
    assert said.startswith(f"{wrong} is not a setting")
    assert f"did you mean {near}" in said


def test_a_name_of_somebody_elses_is_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTIONAL_THING", "1")
    Settings.load()


@pytest.mark.parametrize(("there", "missing"), PAIRS.items())
def test_half_of_a_pair_of_credentials_is_refused(monkeypatch: pytest.MonkeyPatch, there: str, missing: str) -> None:
    monkeypatch.setenv(there, "canary-half")
    said = refusal()
    assert said == f"{there} is set, but {missing} is not"


def test_one_erp_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTTAL_CLIENT_ID", "id")
    monkeypatch.setenv("FRACTTAL_CLIENT_SECRET", "secret")
    settings = Settings.load()
    assert (settings.fraction_configured, settings.fracttal_configured) == (False, True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8790/a", "http://localhost/a", "http://[::1]:1/a", "https://a.test"])
def test_plain_http_is_for_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("FRACTION_BASE_URL", url)
    assert Settings.load().fraction_base_url == url


@pytest.mark.parametrize("name", ["FRACTION_BASE_URL", "FRACTTAL_BASE_URL", "FRACTTAL_TOKEN_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "http://erp.test/api", "http://127.0.0.1.evil.test", "http://localhost.evil.test/", "http://10.0.0.1",
        "ftp://erp.test", "erp.test/api", "https://", "https://u:canary@erp.test", "https://erp.test/?canary=1",
        "https://erp.test/#canary", "https://erp.test:canary", "https://erp.test:99999", "https://erp.test:0",
        "https://[canary", "https://canary℀x.test", "javascript:canary",
    ],
)  # fmt: skip
def test_a_url_that_would_not_do_is_refused_by_name_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv(name, url)
    said = refusal()
    assert said.startswith(f"{name}: must")
    assert "canary" not in said


@pytest.mark.parametrize(
    "url",
    [
        "http://chat.test/canary", "HTTP://chat.test/canary", "http://127.0.0.1.evil.test/canary", "ftp://h/canary",
        "chat.test/canary", "https://", "https://u:canary@chat.test", "https://chat.test/#canary", "https://[canary",
        "https://chat.test:canary/", "https://chat.test/canary canary", "file:///canary", "https://canary℀x.test",
    ],
)  # fmt: skip
def test_a_webhook_that_would_not_do_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("FRACTION_MCP_NOTIFY_URL", url)
    said = refusal()
    assert said.startswith("FRACTION_MCP_NOTIFY_URL: must")
    assert "canary" not in said


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FRACTION_MCP_CONFIRM", "never"), ("FRACTION_MCP_ELICITATION", "on"), ("FRACTION_MCP_STRUCTURED", "yes"),
        ("FRACTION_MCP_READ_ONLY", "perhaps"), ("FRACTION_MCP_APPROVAL_TTL_S", "1"), ("FRACTION_MCP_CACHE_S", "-1"),
        ("FRACTION_MCP_APPROVAL_TTL_S", "31536001"), ("FRACTION_MCP_APPROVAL_TTL_S", "999999999999"),
        ("FRACTION_MCP_CACHE_S", "nan"), ("FRACTION_MCP_TIMEOUT_S", "0"), ("FRACTION_MCP_TIMEOUT_S", "inf"),
        ("FRACTION_MCP_TIMEOUT_S", "soon"), ("FRACTION_MCP_LOG_LEVEL", "loud"), ("FRACTION_CURRENCY", "pounds"),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    assert refusal().startswith(f"{name}: ")


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTION_MCP_CONFIRM", "never")
    monkeypatch.setenv("FRACTION_MCP_TIMEOUT_S", "soon")
    said = refusal()
    assert "FRACTION_MCP_CONFIRM" in said
    assert "FRACTION_MCP_TIMEOUT_S" in said


def test_no_secret_is_in_a_repr_or_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "canary" * 8)
    monkeypatch.setenv("FRACTION_MCP_DATABASE_URL", "postgresql+asyncpg://u:canary@h/d")
    monkeypatch.setenv("FRACTION_MCP_NOTIFY_URL", "https://chat.test/canary")
    monkeypatch.setenv("FRACTION_EMAIL", "a@b.test")
    monkeypatch.setenv("FRACTTAL_CLIENT_ID", "id")
    settings = Settings.load()
    assert "canary" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    monkeypatch.setenv("FRACTION_MCP_TIMEOUT_S", "soon")
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_settings_cannot_be_changed_after_they_were_checked() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings.load().timeout_s = 1  # type: ignore[misc]


def test_local_state_lives_where_the_operator_or_the_platform_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert Settings.load().state_folder().name == "fraction-mcp"
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path / "state"))
    assert Settings.load().state_folder() == tmp_path / "state"
    assert not (tmp_path / "state").exists()


def test_without_any_account_both_ways_on_are_named() -> None:
    said = str(nothing_configured())
    for word in ("FRACTION_EMAIL", "FRACTION_PASSWORD", "FRACTTAL_CLIENT_ID", "FRACTTAL_CLIENT_SECRET", "--sandbox"):
        assert word in said


# -------------------------------------------------------------------------------------------- secrets that are in files


def test_a_secret_in_a_file_is_read_without_the_end_of_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTION_EMAIL", "a@b.test")
    monkeypatch.setenv("FRACTION_PASSWORD_FILE", "SECRET_FILE")
    settings = Settings.load()
    assert settings.fraction_password.get_secret_value() == "from a file"
    assert settings.fraction_configured


@pytest.mark.parametrize("name", ["FRACTION_PASSWORD", "FRACTTAL_CLIENT_SECRET"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "must hold the secret and nothing else, in one line"),
        (b"canary\nmore", "must hold the secret and nothing else, in one line"),
        (b"canary\xff", "is not UTF-8 text"),
    ],
)
def test_a_file_that_holds_no_secret_is_named_and_nothing_of_it_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(f"{name}_FILE", str(path))
    monkeypatch.setenv(PAIRS[name], "other half")
    assert refusal() == f"{name}_FILE: {path} {told}"


def test_a_secret_and_its_file_are_not_both_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTION_EMAIL", "a@b.test")
    monkeypatch.setenv("FRACTION_PASSWORD", "pw")
    monkeypatch.setenv("FRACTION_PASSWORD_FILE", "SECRET_FILE")
    assert refusal() == "FRACTION_PASSWORD and FRACTION_PASSWORD_FILE are both set: unset one of them"


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("FRACTION_PASSWRD", "FRACTION_PASSWORD"),
        ("FRACTTAL_CLIENT_SECRETS", "FRACTTAL_CLIENT_SECRET"),
        ("FRACTION_EMIAL", "FRACTION_EMAIL"),
    ],
)
def test_a_misspelt_name_of_an_account_is_refused_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, wrong: str, near: str
) -> None:
    monkeypatch.setenv(wrong, "canary")
    assert refusal() == f"{wrong} is not a setting of fraction-mcp; did you mean {near}?"


def test_a_name_that_is_near_none_is_another_program_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTION_OF_THE_COST", "1")
    Settings.load()
    assert unused_names(os.environ) == ["FRACTION_OF_THE_COST"]


def test_several_keys_are_parted_by_commas_and_one_may_hold_a_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTION_MCP_SECRET_KEY", f"{'n' * 32}, {'o' * 32},{'n' * 32}")
    assert Settings.load().secret_keys() == ["n" * 32, "o" * 32]
    one = "a key from before there could be several, with a comma"
    monkeypatch.setenv("FRACTION_MCP_SECRET_KEY", one)
    assert Settings.load().secret_keys() == [one]
    monkeypatch.delenv("FRACTION_MCP_SECRET_KEY")
    assert Settings.load().secret_keys() == []
