"""The Python interface: the tools' own answers without a session, and a write that waits for a person."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import fraction_mcp
from fraction_mcp.errors import AmbiguousReference, ConfigError, InputError, NotFound, ReadOnly
from tests.support import child_environment
from tests.terminal import small_company, standing, state

__all__ = ["small_company", "state"]  # fixtures

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _no_browser(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTION_MCP_OPEN_INBOX", "false")


async def test_a_price_is_the_tool_s_own_answer() -> None:
    async with fraction_mcp.connect(sandbox=True) as erp:
        price = await erp.price("WIDGET-001", 250, customer="Acme Corp")
        exact = await erp.price("WIDGET-001", Decimal("250.0"), customer="Acme Corp")
        order = await erp.price_lines("Acme Corp", [("WIDGET-001", 500), ("WIDGET-001", "250")])
    assert (price.status, price.currency) == ("priced", "GBP")
    assert price.prices[0].line_total == exact.prices[0].line_total == Decimal("2500.00")
    assert order.total == Decimal("6750.00")


async def test_every_reading_method_answers() -> None:
    async with fraction_mcp.connect(sandbox=True) as erp:
        assert (await erp.search_parts("widget", limit=2)).rows
        assert (await erp.search_customers("acme")).rows
        assert (await erp.part("WIDGET-001")).status == "found"
        assert (await erp.customer("Acme Corp")).customer
        contracts = await erp.records("contracts", limit=1)
        number = str(contracts.rows[0][0])
        assert (await erp.record("contracts", number)).record
        assert (await erp.summarise("contracts", group_by=["status"])).rows
        assert all(each.signed_in for each in (await erp.status()).systems)


async def test_what_goes_wrong_is_raised_as_the_error_it_is() -> None:
    async with fraction_mcp.connect(sandbox=True) as erp:
        with pytest.raises(InputError, match="quantity"):
            await erp.price("WIDGET-001", "many")
        with pytest.raises(NotFound):
            await erp.record("contracts", "999999")
        with pytest.raises(InputError, match="there is no get_weather"):
            await erp.call("get_weather")
        with pytest.raises(InputError, match="create_part writes: use propose"):
            await erp.call("create_part", part_number="X")
        with pytest.raises(AmbiguousReference):
            await erp.propose("create_enquiry", customer="nobody at all")


async def test_a_read_only_program_is_told_so_and_not_that_there_is_no_such_tool(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRACTION_MCP_READ_ONLY", "true")
    async with fraction_mcp.connect(sandbox=True) as erp:
        with pytest.raises(ReadOnly, match="nothing was written"):
            await erp.propose("create_part", part_number="PY-1")


async def test_a_write_is_proposed_and_waits_for_a_person(state: Path) -> None:
    async with fraction_mcp.connect(sandbox=True) as erp:
        proposed = await erp.propose("create_part", part_number="PY-1")
        assert proposed.outcome == "awaiting_approval"
        assert (await erp.write_status(proposed.write_id or "")).outcome == "awaiting_approval"
    assert standing(state) == ["awaiting_approval"]


def test_without_an_account_the_ways_on_are_named() -> None:
    with pytest.raises(ConfigError, match="fraction-mcp setup"):
        fraction_mcp.connect()


@pytest.mark.process
def test_importing_the_package_loads_none_of_it() -> None:
    code = "import sys, fraction_mcp; print([name for name in sys.modules if name.startswith('fraction_mcp.')])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "[]\n"


@pytest.mark.slow
@pytest.mark.process
def test_the_example_prices_a_csv(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    file.write_text("part,quantity\nWIDGET-001,250\nNO-SUCH-PART,1\n", "utf-8")
    example = Path(__file__).parents[1] / "examples" / "price_csv.py"
    ran = subprocess.run(
        [sys.executable, str(example), str(file)], capture_output=True, text=True, check=True, timeout=60,
        env={**child_environment(), "FRACTION_MCP_STATE_DIR": os.environ["FRACTION_MCP_STATE_DIR"]},
    )  # fmt: skip
    assert ran.stdout.splitlines()[1] == "WIDGET-001,250,10,2500.00,GBP,priced"
    assert "not_found" in ran.stdout.splitlines()[2]
