"""Whom TLS trusts is loaded once for everybody, and anew where the environment names others."""

import shutil
from pathlib import Path

import certifi
import pytest

from fraction_mcp.config import Settings
from fraction_mcp.erp.client import ErpClient, fraction_client


async def made() -> ErpClient:
    client = fraction_client(Settings.model_construct(fraction_base_url="https://erp.example.com"))
    await client.aclose()
    return client


@pytest.mark.anyio
async def test_the_trusted_roots_are_loaded_once_for_however_many_people_and_anew_where_others_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    first, second = await made(), await made()
    assert first._verify is second._verify is not False
    own = tmp_path / "roots.pem"
    shutil.copy(certifi.where(), own)
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    assert (await made())._verify is not first._verify
