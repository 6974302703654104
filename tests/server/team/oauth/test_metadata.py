"""What a client reads first: as the drafts and RFCs have it, and as the SDK's own client understands it."""

import httpx
import pytest
from mcp.client.auth.utils import build_oauth_authorization_server_metadata_discovery_urls
from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata

from fraction_mcp.server.team.metadata import resource_metadata_url

from .conftest import CLIENT, PUBLIC, RESOURCE, Team

pytestmark = pytest.mark.anyio


async def test_the_metadata_says_what_this_server_does_and_nothing_more(team: Team) -> None:
    answer = await (await team.replica()).http.get("/.well-known/oauth-authorization-server")
    assert answer.json() == {
        "issuer": PUBLIC,  # as a string: clients compare it with `iss` so
        "authorization_endpoint": f"{PUBLIC}/authorize",
        "token_endpoint": f"{PUBLIC}/token",
        "revocation_endpoint": f"{PUBLIC}/revoke",
        "scopes_supported": ["erp:read", "erp:write"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "client_id_metadata_document_supported": True,
        "authorization_response_iss_parameter_supported": True,
    }
    assert OAuthMetadata.model_validate_json(answer.text)


async def test_registration_is_announced_where_it_is_allowed(team: Team) -> None:
    answer = await (await team.replica(allow_registration=True)).http.get("/.well-known/oauth-authorization-server")
    assert answer.json()["registration_endpoint"] == f"{PUBLIC}/register"


async def test_the_resource_names_its_server_where_the_sdks_client_looks_for_it(team: Team) -> None:
    http = (await team.replica()).http
    assert resource_metadata_url(RESOURCE) == f"{PUBLIC}/.well-known/oauth-protected-resource/mcp"
    for path in (resource_metadata_url(RESOURCE), "/.well-known/oauth-protected-resource"):
        told = await http.get(path)
        resource = ProtectedResourceMetadata.model_validate_json(told.text)
        assert told.json()["resource"] == RESOURCE
        assert told.json()["scopes_supported"] == ["erp:read", "erp:write"]
    (server,) = told.json()["authorization_servers"]
    assert server == PUBLIC
    first, *_ = build_oauth_authorization_server_metadata_discovery_urls(
        str(resource.authorization_servers[0]), RESOURCE
    )
    assert (await http.get(first)).json()["issuer"] == PUBLIC


@pytest.mark.parametrize("path", ["/token", "/revoke", "/.well-known/oauth-authorization-server"])
async def test_a_client_that_is_a_page_may_ask_from_its_own_origin(team: Team, path: str) -> None:
    method = "GET" if "well-known" in path else "POST"
    asking = {"Origin": "http://localhost:6274", "Access-Control-Request-Method": method}
    answer = await (await team.replica()).http.options(path, headers=asking)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-credentials" not in answer.headers


async def test_no_other_page_sends_a_form_to_authorize_and_reads_the_answer(team: Team) -> None:
    answer = await (await team.replica()).http.get("/authorize", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


async def test_a_database_that_fails_is_told_as_something_that_passes(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fraction_mcp.errors import JournalUnreachable

    replica = await team.signed_in()
    tokens = await replica.tokens()

    async def fails(*_: object) -> None:
        raise JournalUnreachable("the journal is busy")

    monkeypatch.setattr(replica.store, "grant_of_refresh", fails)
    answers: list[httpx.Response] = [
        await replica.refresh(tokens["refresh_token"]),
        await replica.http.post("/revoke", data={"token": tokens["refresh_token"], "client_id": CLIENT}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert answer.headers["retry-after"]
    monkeypatch.undo()
    assert (await replica.refresh(tokens["refresh_token"])).status_code == 200
