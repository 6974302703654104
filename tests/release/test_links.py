"""README's links for VS Code and Cursor hold exactly what README says they do."""

import base64
import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

from release.facts import SERVER
from release.links import ENTRY, links
from tests.release.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_has_the_links_as_they_are_built() -> None:
    assert links() in README, "python -m release.links prints them"


def test_the_links_decode_to_the_command_beside_them() -> None:
    (code,) = re.findall(r"\((https://insiders\.vscode\.dev/redirect\?[^)]+)\)", README)
    target = parse_qs(urlsplit(code).query)["url"][0]
    assert target.startswith("vscode:mcp/install?")
    told = json.loads(unquote(target.removeprefix("vscode:mcp/install?")))
    (cursor,) = re.findall(r"\((https://cursor\.com/en/install-mcp\?[^)]+)\)", README)
    query = parse_qs(urlsplit(cursor).query)
    entry = json.loads(base64.b64decode(query["config"][0]))
    assert told == {"name": SERVER, **entry}
    assert query["name"] == [SERVER]
    assert entry == ENTRY
    assert f"`{' '.join([entry['command'], *entry['args']])}`" in README, (
        "the sentence beside them says what they start"
    )
