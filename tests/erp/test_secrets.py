"""No password, client secret or token is in a log, a repr or an error, at any level of any logger."""

import logging
import traceback
from typing import Any

import pytest
from pydantic import SecretStr

from fraction_mcp import errors, sandbox
from fraction_mcp.config import Settings
from fraction_mcp.erp import endpoints as e
from fraction_mcp.erp.client import fraction_client, fracttal_client
from tests.erp.conftest import World

pytestmark = pytest.mark.anyio


def secrets_of(*clients: Any) -> list[str]:
    held = [client.sign_in._held for client in clients]
    tokens = [token.token.get_secret_value() for token in held if token is not None]
    return [*tokens, sandbox.PASSWORD, sandbox.CLIENT_SECRET]


async def test_nothing_that_is_logged_holds_a_secret(wired: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fraction, fracttal = wired.fraction(), wired.fracttal()
    first = await fraction.sign_in.token()
    await fraction.call(e.PARTS, query={"search": "x"})
    await fracttal.call(e.WAREHOUSES)
    wired.clock.ahead(hours=11, minutes=56)
    await fraction.call(e.PARTS)
    wired.arm("status", status=503, path="/parts")
    await fraction.call(e.PARTS)
    wired.arm("expire", path="/parts")
    await fraction.call(e.PARTS)
    assert "GET /parts -> 200" in caplog.text, "the level is low enough for there to be something to find"
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    for secret in [first, *secrets_of(fraction, fracttal)]:
        assert secret not in caplog.text


async def test_nothing_that_is_printed_holds_a_secret(world: World) -> None:
    fraction, fracttal = world.fraction(), world.fracttal()
    answers = [await fraction.call(e.ME), await fracttal.call(e.WAREHOUSES)]
    printed = " ".join(
        f"{value!r} {value}"
        for client in (fraction, fracttal)
        for value in (client, client.sign_in, client.connection(), client.sign_in._held, vars(client.sign_in), answers)
    )
    for secret in secrets_of(fraction, fracttal):
        assert secret not in printed


@pytest.mark.parametrize("kind", ["status", "html", "empty", "garbage", "truncate", "drop_before"])
@pytest.mark.parametrize("path", ["/auth/login", "/parts", "/oauth/token", "/warehouses"])
async def test_no_error_holds_a_secret_in_its_whole_traceback(wired: World, kind: str, path: str) -> None:
    clients = wired.fraction(), wired.fracttal()
    wired.arm(kind, path=path, times=9)
    told = ""
    for client, endpoint in zip(clients, (e.PARTS, e.WAREHOUSES), strict=True):
        try:
            await client.call(endpoint)
        except errors.ErpError as error:
            told += "".join(traceback.format_exception(error)) + repr(vars(error))
    assert told
    wired.app.state.faults.clear()
    for secret in secrets_of(*clients):
        assert secret not in told


async def test_the_clients_of_the_settings_are_the_same_clients(near: World) -> None:
    """What `serve --sandbox` does: the settings' addresses, and an application in the network's place."""
    settings = Settings(
        fraction_base_url=f"http://localhost{sandbox.FRACTION_PATH}",
        fraction_email=sandbox.EMAIL,
        fraction_password=SecretStr(sandbox.PASSWORD),
        fracttal_base_url=f"http://localhost{sandbox.FRACTTAL_PATH}",
        fracttal_token_url=f"http://localhost{sandbox.FRACTTAL_TOKEN_PATH}",
        fracttal_client_id=sandbox.CLIENT_ID,
        fracttal_client_secret=SecretStr(sandbox.CLIENT_SECRET),
    )
    for client, endpoint in (
        (fraction_client(settings, near.noting), e.PARTS),
        (fracttal_client(settings, near.noting), e.WAREHOUSES),
    ):
        assert (await client.call(endpoint)).records()
        assert client.connection().base_url.startswith("http://localhost/")
        await client.aclose()
    assert sandbox.PASSWORD not in repr(settings)
