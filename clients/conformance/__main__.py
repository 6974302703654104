"""The official conformance suite against this server, in both eras, and against its authorization server.

    python -m clients.conformance

The scenarios for servers meet `serve --sandbox --http`, and a team's server with a person's token; those for
authorization servers meet the team's server, where a person's browser signs in and consents. What is expected to fail
stands in expected-failures.yml and, of the team's server alone, in expected-failures-of-teams.yml, each with its
reason; an entry that passes makes the run fail. Exits 0 where all is as expected, and 1 otherwise.
"""

import asyncio
import re
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx

from clients import environments, served
from clients.conformance.bearer import bearing
from tests.server.team.person import Browser, Memory, assistant

HERE = Path(__file__).parent
EXPECTED = HERE / "expected-failures.yml"
OF_TEAMS = HERE / "expected-failures-of-teams.yml"
PACKAGE = "@modelcontextprotocol/conformance"
ERAS = ("2025-11-25", "2026-07-28")
PATIENCE_S = 300
CALLBACK_PORT = 8978

_ENTRY = re.compile(r"  - [a-z0-9:-]+( +# \S.{9,})?")
_SCENARIO = re.compile(r"^([✓✗]) \S+: \d+ passed, \d+ failed", re.M)
_CHECKS = re.compile(r"^Total: (\d+) passed, (\d+) failed", re.M)


@dataclass(frozen=True)
class Told:
    """What one run of the suite came to."""

    ok: bool
    title: str
    output: str

    def __str__(self) -> str:
        marks = _SCENARIO.findall(self.output)
        checks = _CHECKS.search(self.output)
        counted = f"; of its checks {checks[1]} and {checks[2]}" if checks else ""
        said = f"{marks.count('✓')} scenarios pass, {marks.count('✗')} are not for it{counted}"
        return f"{'ok' if self.ok else 'NOT AS EXPECTED':<16}{self.title}: {said}"


def main() -> int:
    if bare := [line for file in (EXPECTED, OF_TEAMS) for line in unexplained(file)]:
        print(f"expected to fail without a reason: {', '.join(bare)}")
        return 1
    try:
        suite = [str(environments.node_of(HERE)), str(HERE / "node_modules" / PACKAGE / "dist" / "index.js")]
        print(f"{PACKAGE} {environments.version_in(HERE, PACKAGE)}")
        with served.desk() as url:
            ran = [_servers(suite, url, era, [EXPECTED]) for era in ERAS]
        with served.team() as url:
            ran.append(_authorization(suite, url))
            with bearing(asyncio.run(_token(url)), url) as way:
                ran += [_servers(suite, way, era, [EXPECTED, OF_TEAMS], "a team's server") for era in ERAS]
    except (environments.NotInstalled, served.NotServed, subprocess.TimeoutExpired) as error:
        print(f"not run: {error}")
        return 1
    for told in ran:
        print(told if told.ok else f"{told.output}\n{told}")
    return 0 if all(told.ok for told in ran) else 1


def unexplained(file: Path) -> list[str]:
    """The entries of the expected failures that say nothing of why."""
    entries = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("  -")]
    return [line.strip() for line in entries if not (found := _ENTRY.fullmatch(line)) or not found[1]]


def _servers(suite: list[str], url: str, era: str, expected: list[Path], whose: str = "a desk's server") -> Told:
    """One era. The lists of what is expected are one to the suite."""
    lists = [file.read_text(encoding="utf-8") for file in expected]
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as whole:
        whole.write(lists[0] + "".join(further.partition("server:\n")[2] for further in lists[1:]))
        whole.flush()
        command = [*suite, "server", "--url", f"{url}/mcp", "--suite", "all", "--spec-version", era]
        ran = subprocess.run(
            [*command, "--expected-failures", whole.name],
            capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE_S, check=False, cwd=HERE,
        )  # fmt: skip
    return _told(f"{whose}, {era}", ran.returncode, ran.stdout + ran.stderr)


def _authorization(suite: list[str], url: str) -> Told:
    """A client of the suite's own registers itself; then a person is sent to sign in and consent."""
    client = _registered(url)
    process = subprocess.Popen(
        [
            *suite, "authorization", "--url", url, "--client-id", client, "--resource", f"{url}/mcp",
            "--port", str(CALLBACK_PORT),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", cwd=HERE,
    )  # fmt: skip
    watch = threading.Timer(PATIENCE_S, process.kill)
    watch.start()
    output = ""
    try:
        assert process.stdout
        for line in process.stdout:
            output += line
            if line.startswith(f"{url}/authorize?"):
                asyncio.run(_consents(url, line.strip()))
        process.wait()
    finally:
        watch.cancel()
        process.kill()
        process.wait()
    return _told("an authorization server", process.returncode, output)


def _registered(url: str) -> str:
    asked = {
        "client_name": "Conformance",
        "redirect_uris": [f"http://127.0.0.1:{CALLBACK_PORT}/callback"],
        "token_endpoint_auth_method": "none",
    }
    answer = httpx.post(f"{url}/register", json=asked, timeout=60, trust_env=False)
    return str(answer.raise_for_status().json()["client_id"])


async def _token(url: str) -> str:
    """What a person's assistant is given who signs in and consents."""
    browser, memory = Browser(url), Memory()
    try:
        async with assistant(browser, memory):
            assert memory.tokens
            return memory.tokens.access_token
    finally:
        await browser.http.aclose()


async def _consents(url: str, address: str) -> None:
    browser = Browser(url)
    try:
        back = await browser.led(address)
        await browser.http.get(back)
    finally:
        await browser.http.aclose()


def _told(title: str, code: int, output: str) -> Told:
    return Told(code == 0 and bool(_SCENARIO.search(output)), title, output)


if __name__ == "__main__":
    sys.exit(main())
