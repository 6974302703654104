"""What an operator says about a team's server: whatever could leave it open is refused before anything listens."""

from typing import Any

import pytest

from fraction_mcp.cli import main
from fraction_mcp.config import Settings
from fraction_mcp.errors import ConfigError
from fraction_mcp.server.team.options import Asked, TeamOptions, said_at_start, team_options

KEY = "k" * 32
PUBLIC = "https://tools.example.com"
JWT: dict[str, Any] = {
    "auth": "jwt",
    "issuer": "https://id.example.com",
    "audience": f"{PUBLIC}/mcp",
    "public_url": PUBLIC,
}
SIGN_IN: dict[str, Any] = {"auth": "sign-in", "public_url": PUBLIC}


def settings(monkeypatch: pytest.MonkeyPatch, **named: str) -> Settings:
    for name, value in {"FRACTION_MCP_SECRET_KEY": KEY, **named}.items():
        monkeypatch.setenv(name, value)
    return Settings.load(stored=False)


def options(monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], host: str = "0.0.0.0", **named: str) -> TeamOptions:
    return team_options(settings(monkeypatch, **named), Asked(**asked), host=host)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"auth": "sign-in"}, "needs --public-url"),
        ({**SIGN_IN, "public_url": "http://tools.example.com"}, "must begin with https://"),
        ({**SIGN_IN, "public_url": "https://tools.example.com/erp"}, "a path in it is not served"),
        ({**SIGN_IN, "public_url": "https://anna:pw@tools.example.com"}, "is no address"),
        ({**SIGN_IN, "issuer": "https://id.example.com"}, "--issuer is for --auth jwt"),
        ({**SIGN_IN, "audience": PUBLIC}, "--audience is for --auth jwt"),
        ({**SIGN_IN, "subject": ["a=b"]}, "--subject is for --auth jwt"),
        ({**JWT, "issuer": ""}, "needs --issuer"),
        ({**JWT, "audience": ""}, "needs --audience"),
        ({**JWT, "issuer": "http://id.example.com"}, "--issuer: must begin with https://"),
        ({**JWT, "allow_registration": True}, "--allow-registration is for --auth sign-in"),
        ({**JWT, "client_host": ["a.example"]}, "--client-host is for --auth sign-in"),
        ({**JWT, "subject": ["anna"]}, "no SUBJECT=PROFILE"),
        ({**JWT, "subject": ["anna=a", "anna=b"]}, "each subject once"),
        ({**JWT, "issuer": "http://127.0.0.1:8080"}, "--issuer: must begin with https://"),
        ({**SIGN_IN, "scope_claim": "roles"}, "--scope-claim is for --auth jwt"),
        ({**SIGN_IN, "grant": ["buyers=erp:write"]}, "--grant is for --auth jwt"),
        ({**JWT, "grant": ["buyers"]}, "--grant: 'buyers' is no NAME=erp:read"),
        ({**JWT, "grant": ["buyers=erp:admin"]}, "--grant: 'buyers=erp:admin' is no NAME=erp:read"),
        ({**JWT, "grant": ["buyers=erp:read", "buyers=erp:write"]}, "each name once"),
        ({**SIGN_IN, "trusted_proxy": ["10.0.0.1/8"]}, "its own bits zero"),
        ({**SIGN_IN, "trusted_proxy": ["0.0.0.0/0"]}, "would believe everybody"),
        ({**SIGN_IN, "trusted_proxy": ["proxy.example"]}, "neither an address nor a network"),
        ({**SIGN_IN, "allowed_host": ["https://a.example"]}, "--allowed-host: 'https://a.example' is no name"),
        ({**SIGN_IN, "allowed_host": ["a.example/x"]}, "is no name"),
        ({**SIGN_IN, "client_host": ["a.example:1"]}, "--client-host: 'a.example:1' is no name"),
        ({**SIGN_IN, "metrics_host": "10.0.0.1"}, "--metrics-host needs --metrics-port"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_contradiction_ends_it_at_start_with_what_to_change(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        options(monkeypatch, asked)
    assert told in refused.value.message


@pytest.mark.parametrize("asked", [SIGN_IN, JWT], ids=["sign-in", "jwt"])
def test_a_sign_in_without_a_key_of_its_own_is_refused(monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="needs FRACTION_MCP_SECRET_KEY"):
        options(monkeypatch, asked, FRACTION_MCP_SECRET_KEY="")


def test_a_wrong_rule_about_approvers_ends_it_at_start_and_not_at_somebodys_first_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match=r"FRACTION_MCP_APPROVERS: .*no_such_tool"):
        options(monkeypatch, SIGN_IN, FRACTION_MCP_APPROVERS="no_such_tool: anna@harrow-pike.example")


@pytest.mark.parametrize("host", ["example.com", "", "0.0.0.0/0", "127.1"])
def test_an_address_to_listen_on_is_one(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with pytest.raises(ConfigError, match="no address of this machine"):
        options(monkeypatch, SIGN_IN, host)


def test_its_names_are_the_public_one_and_those_that_were_added(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {**SIGN_IN, "allowed_host": ["Inside.example:8443", "tools.example.com"]}
    made = options(monkeypatch, asked, FRACTION_MCP_ALLOWED_HOSTS="b.example, c.example")
    assert made.allowed_hosts == ("tools.example.com", "b.example", "c.example", "inside.example:8443")
    assert made.allowed_origins[:2] == ("https://tools.example.com", "https://b.example")
    assert made.client_hosts == ()


def test_the_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"FRACTION_MCP_PUBLIC_URL": "https://other.example.com"}
    assert options(monkeypatch, {"auth": "sign-in"}, **named).public_url == "https://other.example.com"
    assert options(monkeypatch, SIGN_IN, **named).public_url == PUBLIC


def test_plain_http_is_taken_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    made = options(monkeypatch, {**SIGN_IN, "public_url": "http://127.0.0.1:8765"}, "127.0.0.1")
    assert made.allowed_origins == ("http://127.0.0.1:8765",)


def test_it_says_who_shares_an_account_and_who_confirms(monkeypatch: pytest.MonkeyPatch) -> None:
    there = settings(monkeypatch, FRACTION_MCP_CONFIRM="two_step")
    told = said_at_start(there, team_options(there, Asked(**JWT), host="0.0.0.0"))
    assert [line.partition(",")[0] for line in told] == [
        "fraction-mcp: the journal is a file of this machine: one process serves; replicas need PostgreSQL",
        "fraction-mcp: under two_step",
        "fraction-mcp: everybody with a token of the issuer works under this server's one ERP account",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--auth", "sign-in"], "--auth sign-in is for --http"),
        (["--http", "--public-url", PUBLIC], "--public-url is for a server that people sign in to"),
        (["--http", "--trusted-proxy", "10.0.0.0/8"], "--trusted-proxy is for a server that people sign in to"),
        (["--metrics-port", "0"], "--metrics-port is for a server that people sign in to"),
        (["--http", "--auth", "sign-in"], "needs --public-url"),
    ],
)
def test_the_command_says_it_and_exits_2(capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert main(["serve", "--sandbox", *words]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("issuer", ["https://tenant.auth0.example/", "https://id.example.com/realms/works"])
def test_an_issuer_is_kept_as_its_tokens_spell_it(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    assert options(monkeypatch, {**JWT, "issuer": issuer}).issuer == issuer


def test_grants_say_what_an_issuers_own_words_allow_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {**JWT, "scope_claim": "groups", "grant": ["ERP readers=erp:read", "ERP buyers=erp:read erp:write"]}
    claim = options(monkeypatch, asked).scope_claim
    assert claim.scopes({"groups": ["ERP buyers"]}) == {"erp:read", "erp:write"}
    assert claim.scopes({"groups": ["ERP readers", "erp:write"], "scope": "erp:write"}) == {"erp:read"}
    assert options(monkeypatch, JWT).scope_claim.scopes({"scope": "erp:read"}) == {"erp:read"}
