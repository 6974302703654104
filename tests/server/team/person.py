"""A person with a browser, and the SDK's client that asks them: the whole way from nothing to a call of a tool."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from fraction_mcp.sandbox import EMAIL, PASSWORD

CALLBACK = "http://127.0.0.1:9/callback"


@dataclass
class Browser:
    """What a person does on the pages of `url`: signs in where they are asked to, and says yes."""

    url: str
    email: str = EMAIL
    password: str = PASSWORD
    address: str = ""  # from which a proxy says that they come
    http: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(
            timeout=60, headers={"sec-fetch-site": "same-origin"} | self.forwarded, trust_env=False
        )

    @property
    def forwarded(self) -> dict[str, str]:
        return {"x-forwarded-for": self.address} if self.address else {}

    async def led(self, address: str, decision: str = "allow") -> str:
        """The address of a client that the browser is led back to from one of ours."""
        answer = await self.http.get(address)
        for _ in range(10):
            if answer.is_redirect:
                address = urljoin(address, answer.headers["location"])
                if not address.startswith(self.url):
                    return address
                answer = await self.http.get(address)
            elif urlsplit(address).path == "/sign-in":
                answer = await self._sends(address, answer.text, email=self.email, password=self.password)
            else:
                answer = await self._sends(address, answer.text, decision=decision)
        raise AssertionError(f"led in circles: {address} {answer.status_code}")

    async def comes_to(self, path: str) -> httpx.Response:
        """A page of ours, signing in on the way where that is asked for."""
        answer = await self.http.get(self.url + path)
        if answer.is_redirect and "/sign-in" in answer.headers["location"]:
            address = urljoin(self.url, answer.headers["location"])
            page = await self.http.get(address)
            await self._sends(address, page.text, email=self.email, password=self.password)
            answer = await self.http.get(self.url + path)
        return answer

    async def _sends(self, address: str, page: str, **typed: str) -> httpx.Response:
        answer = await self.http.post(urljoin(address, urlsplit(address).path), data=hidden(page) | typed)
        assert answer.is_redirect, answer.text
        return answer


def hidden(page: str) -> dict[str, str]:
    """What stands in the hidden fields of a page."""
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in fields}


class Memory(TokenStorage):
    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.info: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.info

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.info = client_info


@asynccontextmanager
async def assistant(
    browser: Browser,
    memory: Memory | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    **client: Any,
) -> AsyncIterator[Client]:
    """The SDK's client, signed in by this person."""
    led: list[str] = []

    async def go(address: str) -> None:
        led.append(await browser.led(address))

    async def back() -> AuthorizationCodeResult:
        asked = {name: texts[0] for name, texts in parse_qs(urlsplit(led[-1]).query).items()}
        return AuthorizationCodeResult(code=asked["code"], state=asked.get("state"), iss=asked.get("iss"))

    oauth = OAuthClientProvider(
        f"{browser.url}/mcp",
        OAuthClientMetadata(
            redirect_uris=[AnyUrl(CALLBACK)], token_endpoint_auth_method="none", client_name="A test's assistant"
        ),
        memory or Memory(),
        go,
        back,
    )
    http = httpx2.AsyncClient(auth=oauth, timeout=60, headers=browser.forwarded, trust_env=False, transport=transport)
    async with http:
        connection = streamable_http_client(f"{browser.url}/mcp", http_client=http)
        async with Client(connection, **client) as signed_in:
            yield signed_in
