"""Exact changes of Codex's TOML: whatever else stands in it, only our table comes and goes."""

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraction_mcp.cli.clients.edits import TextError, applied
from fraction_mcp.cli.clients.entry import Options, put, read_entry, taken_out
from fraction_mcp.cli.clients.places import CLIENTS

CODEX = CLIENTS["codex"]
COMMAND = ("C:\\Program Files\\é\\fraction-mcp.exe",)
ENTRY = {"command": COMMAND[0], "args": ["serve", "--sandbox"]}

# Statements as people and Codex write them; each stands where any other may.
ROOT = [
    'model = "gpt-5"  # which',
    "a.b.c = 1",
    "notify = [\n  'x', # one\n  \"]\",\n]",
    "empty = {}",
    'text = """\n[mcp_servers.fraction]\ncommand = "no"\n"""',
    "raw = '''\n[mcp_servers.fraction]'''",
    "# a comment of its own",
    "",
    "float = 1.50\ndate = 1979-05-27T07:32:00Z",
    'quoted = "a \\" # b"',
    '"a key = []" = 2',
]
TABLES = [
    '[mcp_servers.other]\ncommand = "npx"\nenv = { TOKEN = "secret" }',
    "[mcp_servers.third] # why\nurl = 'https://example.com'\n# about it\n[mcp_servers.third.env]\nA = \"1\"",
    '[mcp_servers."a.b"]\ncommand = "x"',
    '[projects."/home/me/[mcp_servers.fraction]"]\ntrust_level = "trusted"',
    "[[list]]\nx = 1\n[[list]]\nx = [\n  [1],\n]",
    "[ spaced . out ]\nx.y = 2",
    "[mcp_servers]",
]


@st.composite
def documents(draw: st.DrawFn) -> str:
    root = draw(st.lists(st.sampled_from(ROOT), unique=True, max_size=5))
    tables = draw(st.lists(st.sampled_from(TABLES), unique=True, max_size=4))
    text = draw(st.sampled_from(["\n", "\n\n"])).join([*root, *tables]) + draw(st.sampled_from(["", "\n", "\n\n"]))
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@given(documents())
def test_our_table_is_added_and_every_other_byte_stays(text: str) -> None:
    after = applied(text, put(CODEX, text, COMMAND, Options(sandbox=True)))
    value, expected = tomllib.loads(after), tomllib.loads(text)
    assert value == {**expected, "mcp_servers": {**expected.get("mcp_servers", {}), "fraction": ENTRY}}
    assert after.startswith(text)
    assert ("\r\n" in after) == ("\r\n" in text)
    assert not re.search(r"(?<!\r)\n", after) or "\r\n" not in text


@given(documents())
def test_what_is_taken_out_is_our_table_and_nothing_else(text: str) -> None:
    with_ours = applied(text, put(CODEX, text, COMMAND, Options()))
    assert applied(with_ours, taken_out(CODEX, with_ours)).rstrip("\r\n") == text.rstrip("\r\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_table_in_the_middle_is_changed_in_place_and_taken_out_with_what_belongs_to_it(newline: str) -> None:
    text = newline.join(
        [
            "# top",
            "[mcp_servers.fraction] # ours",
            "# which",
            'command = "fraction-mcp" # a note',
            "args = [",
            '  "serve", # this',
            '  "--read-only",',
            "]",
            "enabled = false",
            "[mcp_servers.fraction.env]",
            'TOKEN = "secret"',
            "",
            "# about the next",
            "[tui]",
            "x = 1",
            "",
        ]
    )
    after = applied(text, put(CODEX, text, COMMAND, Options(profile="acme")))
    found = read_entry(CODEX, after)
    wanted = ["serve", "--profile", "acme", "--read-only"]
    assert found == {"command": COMMAND[0], "args": wanted, "enabled": False, "env": {"TOKEN": "secret"}}
    assert " # a note" in after
    gone = applied(after, taken_out(CODEX, after))
    assert tomllib.loads(gone) == {"tui": {"x": 1}}
    assert gone.startswith("# top")
    assert f"{newline}# about the next{newline}[tui]{newline}x = 1{newline}" in gone


@pytest.mark.parametrize(
    "text",
    [
        '[mcp_servers]\nfraction = { command = "fraction-mcp", args = ["serve"] }\nb = { command = "b" }\n',
        'mcp_servers.fraction.command = "fraction-mcp"\nmcp_servers.b.command = "b"\n',
        '[mcp_servers.fraction]\ncommand = "fraction-mcp"\n[mcp_servers.b]\ncommand = "b"',
    ],
)
def test_an_entry_is_taken_out_however_it_is_written(text: str) -> None:
    after = applied(text, taken_out(CODEX, text))
    assert tomllib.loads(after) == {"mcp_servers": {"b": {"command": "b"}}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = [", "(at end of document)"),
        ("a = 1\na = 2\n", "Cannot overwrite a value (at line 2"),
        ('mcp_servers = { b = { command = "b" } }\n', "mcp_servers is written in one line"),
        ('[mcp_servers]\nfraction = { command = "fraction-mcp" }\n', "mcp_servers.fraction is written in one line"),
        ("mcp_servers = 1\n", "mcp_servers is no table"),
        ("[[mcp_servers]]\n", "mcp_servers is no table"),
    ],
)
def test_what_cannot_be_changed_is_told_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(TextError, match=re.escape(told)):
        put(CODEX, text, COMMAND, Options())
