"""What README.md says is so: its commands run, its configurations start, its tables are the program's own."""

import html
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from pydantic import SecretStr
from rich.cells import cell_len
from rich.console import Console

from fraction_mcp.cli import main
from fraction_mcp.cli.demo import SCENES, session
from fraction_mcp.config import Settings
from fraction_mcp.tools.catalogue import catalogue
from fraction_mcp.tools.prompts import PROMPTS
from fraction_mcp.tools.resources import RESOURCES
from tests.process import children_of_commands_are_ours, command
from tests.support import free_port, wait_for

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def fenced(text: str, *languages: str) -> list[str]:
    return [body for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S) if language in languages]


def commands() -> list[list[str]]:
    """Every command of README's shell blocks, as its words."""
    lines = [
        line.replace(".venv\\Scripts\\", "")  # where Windows keeps what is on the path elsewhere
        for block in fenced(README, "sh", "powershell")
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


COMMANDS = commands()
CONFIGURATIONS = [json.loads(block) for block in fenced(README, "json")]


def servers(configuration: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = configuration.get("mcpServers") or configuration["servers"]
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """No account, a state folder of these tests' own, and this environment's commands first on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FRACTION_", "FRACTTAL_"))}
    state = tmp_path_factory.mktemp("state")
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**kept, "PATH": path, "FRACTION_MCP_STATE_DIR": str(state), "PYTHONIOENCODING": "utf-8"}


def offered(server: dict[str, Any], environment: dict[str, str]) -> set[str]:
    """The tools that a client gets from a server that it starts as its configuration says."""
    given = {name: re.sub(r"\$\{(input|env):[^}]+\}", "given", value) for name, value in server.get("env", {}).items()}
    command = shutil.which(server["command"], path=environment["PATH"])
    assert command, f"{server['command']} is not a command"
    parameters = StdioServerParameters(command=command, args=server["args"], env={**environment, **given})

    async def listed() -> set[str]:
        with anyio.fail_after(60):
            async with Client(parameters) as client:
                return {tool.name for tool in (await client.list_tools()).tools}

    return anyio.run(listed)


def ran(words: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ------------------------------------------------------------------------------------------------------------- commands


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_of_the_readme_works(  # noqa: PLR0912 - a case for each kind of command
    words: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    match words:
        case ["make", target, *_]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
        case ["python", "-m", "venv", _] | ["python", "-m", "pip", "install", "."]:
            assert 'fraction-mcp = "fraction_mcp.cli:main"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        case ["uv", "tool", "install", "fraction-mcp"] | ["pipx", "install", "fraction-mcp"]:
            assert 'name = "fraction-mcp"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        case ["uvx", "fraction-mcp", *arguments]:
            assert ran([sys.executable, "-m", "fraction_mcp", *arguments], environment).strip()
        case ["fraction-mcp", "install" | "uninstall", _, *_]:
            ours = {name: str(tmp_path) for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "APPDATA")}
            assert ran([sys.executable, "-m", "fraction_mcp", *words[1:]], {**environment, **ours}).strip()
        case ["codex", "mcp", "add", "fraction", "--", command, *arguments] | [
            "docker",
            "run",
            "-i",
            "--rm",
            "-v",
            "fraction-mcp:/state",
            "fraction-mcp" as command,
            *arguments,
        ]:
            assert offered({"command": command, "args": arguments}, environment)
        case ["docker", "build", "-t", name, "."]:
            assert f"docker build -t {name} ." in (ROOT / "Dockerfile").read_text(encoding="utf-8")
        case ["fraction-mcp", *arguments] if "serve" not in arguments:
            installed = shutil.which("fraction-mcp", path=environment["PATH"])
            assert installed
            assert ran([installed, *arguments], environment).strip()
        case ["python", script]:
            assert ran([sys.executable, script], environment).strip()
        case ["claude", "mcp", "add", *rest]:
            options, (command, *arguments) = rest[: rest.index("--")], rest[rest.index("--") + 1 :]
            # `--env` takes all that follows it, so another option must stand before the server's name.
            *variables, transport, stdio, _name = options
            assert (transport, stdio) == ("--transport", "stdio")
            assert variables[::2] == ["--env"] * (len(variables) // 2)
            given = dict(variable.split("=", 1) for variable in variables[1::2])
            assert offered({"command": command, "args": arguments, "env": given}, environment)
        case ["npx", "@modelcontextprotocol/inspector", *options]:
            configuration = json.loads((ROOT / options[options.index("--config") + 1]).read_text(encoding="utf-8"))
            tools = offered(servers(configuration)[options[options.index("--server") + 1]], environment)
            assert "--tool-name" not in options or options[options.index("--tool-name") + 1] in tools
        case [variable, "fraction-mcp", *arguments] if re.match(r"[A-Z_]+=", variable):
            port = str(free_port())  # the page's own may be taken
            arguments = [word.replace("8765", port) for word in arguments] + ["--port", port]
            given = dict([variable.split("=", 1)])
            with subprocess.Popen(
                [sys.executable, "-m", "fraction_mcp", *arguments], env={**environment, **given}, text=True
            ) as process:
                try:
                    wait_for(process, int(port))
                finally:
                    process.terminate()
        case _:
            pytest.fail("no test knows how to check this command")


def test_the_two_commands_at_the_top_come_first() -> None:
    assert COMMANDS[:2] == [["make", "demo"], ["make", "test"]]


def test_without_an_account_serve_stops_and_names_both_ways_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("FRACTION_", "FRACTTAL_"))]:
            patch.delenv(name)
        assert main(["serve"]) == 2
    told = capsys.readouterr().err
    assert "FRACTION_EMAIL" in told
    assert "fraction-mcp serve --sandbox" in told


# ------------------------------------------------------------------------------------------------------------ the demo


@pytest.mark.matrix
@pytest.mark.process
@pytest.mark.parametrize("width", [80, 140])
def test_the_demo_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("FRACTION_", "FRACTTAL_"))]:
        monkeypatch.delenv(name)
    children_of_commands_are_ours(monkeypatch)
    drawn = io.StringIO()
    console = Console(file=drawn, width=width, force_terminal=True, color_system=None, soft_wrap=True)
    anyio.run(session, console, SCENES)
    lines = drawn.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)
    assert all(line.startswith(("  ", "› ")) for line in lines[1:] if line)
    assert "500 at 8.50, +1750.00" in drawn.getvalue()
    assert [line.removeprefix("› ") for line in lines if line.startswith("›")] == [scene.question for scene in SCENES]


@pytest.mark.process
def test_the_demo_is_plain_where_it_is_piped_whatever_the_character_set(environment: dict[str, str]) -> None:
    told = ran(command("demo"), {**environment, "PYTHONIOENCODING": "ascii"})
    assert re.findall(r"^> (.*)$", told, re.M) == [scene.question for scene in SCENES]
    assert re.search(r"^  -+$", told, re.M)
    assert "\x1b" not in told


# ------------------------------------------------------------------------------------------------------- configurations


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids="-".join)
def test_a_client_that_is_configured_so_gets_tools(configuration: dict[str, Any], environment: dict[str, str]) -> None:
    for server in servers(configuration).values():
        assert "get_price_for_quantity" in offered(server, environment)


def test_what_a_configuration_asks_its_user_for_is_what_it_uses() -> None:
    for configuration in CONFIGURATIONS:
        used = set(re.findall(r"\$\{input:([^}]+)\}", json.dumps(configuration)))
        assert used == {each["id"] for each in configuration.get("inputs", ())}


def test_the_example_configurations_are_the_readme_s() -> None:
    examples = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "examples").glob("*.json")}
    assert set(examples) == {"claude_desktop.json", "cursor.json", "vscode.json", "inspector.json"}
    for name, example in examples.items():
        assert example in CONFIGURATIONS, f"{name} is not in the README"


# --------------------------------------------------------------------------------------------------------------- tables


def table(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, as they are written."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return rows[2:]


def test_the_table_of_tools_is_the_registry() -> None:
    rows = [
        f"| `{spec.name}` | {'reads' if spec.effect.reads else 'writes'} | {spec.description.partition(chr(10))[0]} |"
        for spec in catalogue().values()
    ]
    found = [line for line in README.splitlines() if re.match(r"\| `[a-z_]+` \| (reads|writes) \|", line)]
    assert found == rows, "the table should be:\n" + "\n".join(rows)


def test_the_tables_of_prompts_and_resources_are_the_program_s() -> None:
    rows = [f"| `{prompt.name}` | {prompt.description} |" for prompt in PROMPTS]
    rows += [f"| `{one.uri}` | {one.description} |" for one in RESOURCES]
    found = [line for line in README.splitlines() if line in rows]
    assert sorted(found) == sorted(rows), "the rows should be:\n" + "\n".join(rows)


def test_the_table_of_settings_is_the_program_s() -> None:
    documented = {
        name: default for names, _, default in table("Configuration") for name in re.findall(r"`([A-Z_]+)`", names)
    }
    real = {field.alias or name.upper(): as_written(field.default) for name, field in Settings.model_fields.items()}
    assert set(documented) == set(real)
    for name, default in real.items():
        if default:
            assert documented[name] == f"`{default}`", name
        else:
            assert not documented[name].startswith("`"), f"{name} has no default to quote"


def as_written(default: object) -> str:
    match default:
        case SecretStr():
            return default.get_secret_value()
        case bool():
            return str(default).lower()
        case None:
            return ""
        case _:
            return str(default)


# --------------------------------------------------------------------------------------------------- links and pictures


def links() -> Iterator[tuple[str, str]]:
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                yield path.relative_to(ROOT).as_posix(), target


@pytest.mark.parametrize(("page", "target"), list(links()))
def test_a_link_leads_somewhere(page: str, target: str) -> None:
    name, _, anchor = target.partition("#")
    there = (ROOT / page).parent / name if name else ROOT / page
    assert there.exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.M)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.process
def test_the_picture_shows_what_the_tools_answer(environment: dict[str, str]) -> None:
    picture = (ROOT / "docs/price.svg").read_text(encoding="utf-8")
    shown = words(html.unescape(re.sub(r"<style.*?</style>|<[^>]+>", " ", picture, flags=re.S)))
    # Its two scenes are asked for again; the rest of a demo is not in the picture.
    told = ran(command("demo"), environment)
    scenes = [words(scene) for scene in told.split("\n\n") if re.match(r"> .*\n  (get_)?price", scene)]
    assert len(scenes) == 2
    for scene in scenes:
        assert scene in shown, "draw it anew: python docs/picture.py"


def words(text: str) -> str:
    """The words alone: how lines break and which glyphs rules and marks have differs with the terminal."""
    return " ".join(re.sub(r"-{3,}|─+|[>›]", " ", text).split())


def test_the_picture_refers_to_nothing_outside_itself() -> None:
    picture = (ROOT / "docs/price.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"'<>]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert "url(http" not in picture
    assert "@font-face" not in picture
    assert "@import" not in picture


def test_the_code_in_the_architecture_page_is_the_program_s() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "fraction_mcp").rglob("*.py")]
    snippets = fenced((ROOT / "docs/architecture.md").read_text(encoding="utf-8"), "python")
    assert snippets
    for snippet in snippets:
        assert any(snippet in source for source in sources), f"no longer so:\n{snippet}"


def test_the_places_that_the_architecture_page_names_exist() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([a-z_/]+(?:\.py|/))`", page):
        assert (ROOT / "fraction_mcp" / name).exists() or (ROOT / name).exists(), name
