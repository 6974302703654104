"""`doctor` against every broken thing that it names: exactly that line says so, with the mend."""

import datetime
import json
import os
import shutil
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fraction_mcp import sandbox
from fraction_mcp.accounts import keep_account
from fraction_mcp.cli import main, session
from fraction_mcp.cli.doctor import machine
from fraction_mcp.cli.doctor.check import ok
from tests.support import child_environment, free_port
from tests.terminal import small_company
from tests.ways import Served, served

__all__ = ["small_company"]  # a fixture

Examined = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in set(os.environ) - set(child_environment()):
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "DISPLAY", "BROWSER",
                 "WAYLAND_DISPLAY", "CLAUDE_CONFIG_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    monkeypatch.setenv("FRACTION_MCP_STATE_DIR", str(tmp_path / "state"))
    return home


@pytest.fixture
def company(small_company: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(small_company, tmp_path / "company.sqlite3"))


@pytest.fixture
def erps(company: Path) -> Iterator[Served]:
    with served(company) as serving:
        yield serving


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Examined:
    """`doctor --json` in this environment: its exit code, and its checks that are not fine, by name. The start of a
    server is left out: it has a test of its own."""

    async def started(_flags: object) -> object:
        return ok("start", "left out")

    monkeypatch.setattr(machine, "start", started)

    def examine(*words: str, **environment: str) -> tuple[int, dict[str, Any]]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        code = main(["doctor", "--json", *words])
        told = json.loads(capsys.readouterr().out)
        assert told["ok"] is (code == 0)
        return code, {check["name"]: check for check in told["checks"] if check["state"] != "ok"}

    return examine


ALWAYS = {"keychain", "browser", "assistants"}
"""Warnings of a bare machine."""


def the_one(found: tuple[int, dict[str, Any]], name: str) -> str:
    """The line of the only thing that is broken, with its mend."""
    code, wrong = found
    assert set(wrong) - ALWAYS == {name}, wrong
    check = wrong[name]
    assert code == (1 if check["state"] == "failure" else 0)
    assert check["mend"]
    return f"{check['told']}. {check['mend']}"


def test_where_everything_works_only_what_calls_can_do_without_is_missing(erps: Served, examined: Examined) -> None:
    code, wrong = examined(**erps.environment())
    assert code == 0
    assert set(wrong) == ALWAYS
    assert {check["state"] for check in wrong.values()} == {"warning"}


# ------------------------------------------------------------------------------------------------------------- settings


def test_no_account(examined: Examined) -> None:
    line = the_one(examined(), "settings")
    assert line.startswith("no ERP is configured")
    assert "fraction-mcp setup" in line


def test_a_misspelt_name(examined: Examined) -> None:
    assert "did you mean FRACTION_EMAIL?" in the_one(examined(FRACTION_EMIAL="a@b.example"), "settings")


def test_a_name_that_is_none_of_ours(erps: Served, examined: Examined) -> None:
    assert "FRACTION_OF_IT is no setting" in the_one(examined(FRACTION_OF_IT="1", **erps.environment()), "environment")


def test_settings_are_told_with_their_places_and_no_secret(
    erps: Served,
    examined: Examined,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(sandbox.CLIENT_SECRET, "utf-8")
    for name, value in {**erps.environment(), "FRACTTAL_CLIENT_SECRET_FILE": str(secret)}.items():
        if name != "FRACTTAL_CLIENT_SECRET":
            monkeypatch.setenv(name, value)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"FRACTION_EMAIL={sandbox.EMAIL}, from the environment" in out
    assert "FRACTION_PASSWORD=********, from the environment" in out
    assert f"FRACTTAL_CLIENT_SECRET=********, from the file {secret}" in out
    assert sandbox.PASSWORD not in out
    assert sandbox.CLIENT_SECRET not in out


# -------------------------------------------------------------------------------------------------------------- network


def account(url: str) -> dict[str, str]:
    return {"FRACTION_BASE_URL": url, "FRACTION_EMAIL": sandbox.EMAIL, "FRACTION_PASSWORD": sandbox.PASSWORD}


def test_a_name_that_nobody_knows(examined: Examined) -> None:
    line = the_one(examined(**account("https://erp.invalid/api")), "FractionERP name")
    assert line.startswith("erp.invalid: ")
    assert "name" in line
    assert "DNS" in line


def test_a_port_where_nothing_listens(examined: Examined) -> None:
    port = free_port()
    line = the_one(examined(**account(f"http://127.0.0.1:{port}/api")), "FractionERP connection")
    assert line.startswith(f"127.0.0.1:{port}: connection refused: nothing listens there")


CERTIFICATES = {
    "expired": (-3, "localhost", True, "certificate expired on "),
    "another host's": (30, "elsewhere.example", True, "its certificate is another host's"),
    "not trusted": (30, "localhost", False, "its certificate is "),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_certificate_that_is_no_good(company: Path, examined: Examined, tmp_path: Path, kind: str) -> None:
    days, host, trusted, told = CERTIFICATES[kind]
    key, certificate, ends = made_certificate(tmp_path, host, days)
    with served(company, ssl_keyfile=str(key), ssl_certfile=str(certificate)) as erps:
        url = erps.base.replace("http://127.0.0.1", "https://localhost") + sandbox.FRACTION_PATH
        environment = {"SSL_CERT_FILE": str(certificate)} if trusted else {}
        line = the_one(examined(**account(url), **environment), "FractionERP TLS")
    assert line.startswith(f"localhost: {told}")
    assert days > 0 or f"{ends:%Y-%m-%d}" in line


def made_certificate(folder: Path, host: str, days: int) -> tuple[Path, Path, datetime.datetime]:
    now = datetime.datetime.now(datetime.UTC)
    ends = now + datetime.timedelta(days=days)
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    builder = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=90)).not_valid_after(ends)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    signed = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        private, hashes.SHA256()
    )
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    key.write_bytes(private.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    certificate.write_bytes(signed.public_bytes(pem))
    return key, certificate, ends


def test_a_proxy_that_is_not_there(examined: Examined) -> None:
    proxy = f"http://127.0.0.1:{free_port()}"
    found = examined(**account("https://erp.example/api"), HTTPS_PROXY=proxy)
    assert "nothing listens there" in the_one(found, "FractionERP proxy")


def test_a_proxy_that_asks_for_a_sign_in_and_whose_password_is_not_shown(
    examined: Examined, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            for _ in range(2):  # the connection that is tried, and the one that is asked on
                taken, _ = listener.accept()
                with taken:
                    if taken.recv(4096):
                        taken.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        proxy = f"http://me:canary-word@127.0.0.1:{listener.getsockname()[1]}"
        line = the_one(examined(**account("https://erp.example/api"), HTTPS_PROXY=proxy), "FractionERP proxy")
        thread.join(10)
    assert "asks for a sign-in" in line
    assert "canary-word" not in line


def test_a_clock_that_is_wrong(company: Path, examined: Examined) -> None:
    headers = [("Date", "Thu, 01 Jan 2026 00:00:00 GMT")]
    with served(company, date_header=False, headers=headers) as erps:
        line = the_one(examined(**account(erps.base + sandbox.FRACTION_PATH)), "FractionERP clock")
    assert "minutes ahead of 127.0.0.1's. set this machine's clock" in line


# ------------------------------------------------------------------------------------------------------------- accounts


def test_a_wrong_password(erps: Served, examined: Examined) -> None:
    line = the_one(examined(**{**erps.environment(), "FRACTION_PASSWORD": "canary-x"}), "FractionERP sign-in")
    assert "fraction-mcp login" in line
    assert "canary" not in line


def test_an_account_that_was_switched_off(erps: Served, examined: Examined) -> None:
    found = examined(**{**erps.environment(), "FRACTION_EMAIL": "lee@lapsed.example"})
    assert "an administrator of the company has to activate" in the_one(found, "FractionERP sign-in")


def test_a_plan_without_api_access(erps: Served, examined: Examined) -> None:
    erps.app.state.faults.arm("status", path="/parts*", status=403, code="PLAN_RESTRICTED", times=9)
    assert "needs API access: Pro or Moulding" in the_one(examined(**erps.environment()), "FractionERP plan")


def test_a_rate_budget_that_is_nearly_eaten_up(erps: Served, examined: Examined) -> None:
    erps.app.state.fraction_limit_per_hour = 2  # as many as doctor makes
    line = the_one(examined(**erps.environment()), "FractionERP budget")
    assert line == "0 of 2 requests are left. wait until the window ends, or ask who else uses this account"


def test_a_rate_budget_that_is_eaten_up(erps: Served, examined: Examined) -> None:
    erps.app.state.faults.arm("status", path="/parts*", status=429, seconds=900, times=9)
    assert "wait: too many requests" in the_one(examined(**erps.environment()), "FractionERP plan")


def test_a_wrong_secret_of_fracttal_s(erps: Served, examined: Examined) -> None:
    line = the_one(examined(**{**erps.environment(), "FRACTTAL_CLIENT_SECRET": "canary-y"}), "Fracttal sign-in")
    assert "client id and secret" in line
    assert "canary" not in line


def test_a_list_of_fracttal_s_that_is_refused_although_its_token_is_good(erps: Served, examined: Examined) -> None:
    erps.app.state.faults.arm("status", system="fracttal", path="/warehouses*", status=403, times=9)
    assert "a read was refused" in the_one(examined(**erps.environment()), "Fracttal list")


# -------------------------------------------------------------------------------------------------------------- machine


def test_a_state_folder_that_cannot_be_made(erps: Served, examined: Examined, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = examined(**erps.environment(), FRACTION_MCP_STATE_DIR=str(tmp_path / "file" / "state"))
    assert "FRACTION_MCP_STATE_DIR" in the_one(found, "journal")


def journal_in(folder: Path) -> Path:
    from fraction_mcp.operations.writes.journal import Journal
    from fraction_mcp.operations.writes.states import Step

    async def make() -> None:
        opened = await Journal.open("", folder)
        await opened.note("w1", Step.LOOKED, {})
        await opened.aclose()

    anyio.run(make)
    return folder / "journal.sqlite3"


def test_a_journal_of_a_newer_version(erps: Served, examined: Examined, tmp_path: Path) -> None:
    with closing(sqlite3.connect(journal_in(tmp_path / "state"))) as database, database:
        database.execute("UPDATE head SET version = 99")
    assert "version 99" in the_one(examined(**erps.environment()), "journal")


def test_a_journal_whose_chain_is_broken(erps: Served, examined: Examined, tmp_path: Path) -> None:
    with closing(sqlite3.connect(journal_in(tmp_path / "state"))) as database, database:
        database.execute("UPDATE events SET detail = '{\"found\": 1}'")
    assert "its chain is broken" in the_one(examined(**erps.environment()), "journal")


def test_a_keychain_that_is_locked(
    erps: Served, examined: Examined, keychain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = erps.base + sandbox.FRACTION_PATH
    keep_account(tmp_path / "state", "default", "fractionerp", base_url=url, account=sandbox.EMAIL, secret="canary-s")
    line = the_one(examined(TEST_KEYCHAIN_LOCKED="1"), "secret")
    assert "the keychain could not be read (KeyringLocked): unlock it" in line
    assert "canary" not in line


def test_a_browser_and_a_keychain_are_told_where_they_are(erps: Served, examined: Examined, keychain: Path) -> None:
    _, wrong = examined(**erps.environment(), BROWSER="firefox")
    assert set(wrong) == {"assistants"}


def claude_desktop(home: Path, entry: object) -> None:
    file = home / ".config" / "Claude" / "claude_desktop_config.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"mcpServers": {"fraction": entry}}), "utf-8")


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="where Claude Desktop keeps its file on Linux")


@LINUX
def test_an_assistant_whose_command_is_gone(home: Path, erps: Served, examined: Examined) -> None:
    claude_desktop(home, {"command": "/gone/bin/fraction-mcp", "args": ["serve"]})
    line = the_one(examined(**erps.environment()), "Claude Desktop")
    assert "/gone/bin/fraction-mcp, which is not there. fraction-mcp install claude-desktop" in line


@LINUX
def test_an_assistant_that_starts_a_profile_that_is_not_stored(home: Path, erps: Served, examined: Examined) -> None:
    claude_desktop(home, {"command": sys.executable, "args": ["-m", "fraction_mcp", "serve", "--profile", "east"]})
    assert "fraction-mcp login --profile east" in the_one(examined(**erps.environment()), "Claude Desktop")


@LINUX
def test_an_assistant_s_file_that_cannot_be_read(home: Path, erps: Served, examined: Examined) -> None:
    claude_desktop(home, {})
    (home / ".config" / "Claude" / "claude_desktop_config.json").write_text("{", "utf-8")
    assert "cannot be read" in the_one(examined(**erps.environment()), "Claude Desktop")


@pytest.mark.process
def test_a_server_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_command", lambda _flags: [sys.executable, "-c", "import sys; sys.exit(3)"])
    check = anyio.run(machine.start, [])
    assert (check.name, check.state) == ("start", "failure")
    assert "fraction-mcp serve" in check.mend


@pytest.mark.slow
@pytest.mark.process
def test_a_server_that_starts_is_told_with_its_time(erps: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in erps.environment().items():
        monkeypatch.setenv(name, value)
    check = anyio.run(machine.start, [])
    assert check.state in {"ok", "warning"}
    assert "tools after" in check.told
