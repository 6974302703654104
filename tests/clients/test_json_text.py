"""Exact changes of JSON: whatever odd but valid text it is, only our entry comes and goes."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fraction_mcp.cli.clients.edits import TextError, applied
from fraction_mcp.cli.clients.entry import NAME, Options, put, read_entry, taken_out
from fraction_mcp.cli.clients.json_text import JsonText
from fraction_mcp.cli.clients.places import CLIENTS, Client
from tests.clients.support import COMMENT, read

WORDS = ("/opt/tools/bin/fraction-mcp",)
STRICT, LOOSE = CLIENTS["claude-desktop"], CLIENTS["vscode"]
ENTRY = {"command": WORDS[0], "args": ["serve", "--sandbox"]}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
names = texts.filter(lambda name: name not in {NAME, "servers", "mcpServers"})


@st.composite
def documents(draw: st.DrawFn, client: Client) -> str:
    """A program's file as a person might have left it: some servers, or none, or no list of them at all."""
    root: dict[str, Any] = draw(st.dictionaries(names, values, max_size=3))
    if draw(st.booleans()):
        listed = draw(st.dictionaries(names, st.dictionaries(texts, values, max_size=3), max_size=3))
        root = dict(draw(st.permutations([*root.items(), (client.servers, listed)])))
    return written(draw, root, client)


def written(draw: st.DrawFn, root: Any, client: Client) -> str:
    """A value as text, with odd spaces, line ends and escapes, and the liberties that the program takes."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    spaces = ["", " ", "\t", newline, newline + "  ", newline + "\t", " " + newline + newline]
    remarks = [' // a comment, {with} "signs"' + newline, "/* another */", f"/* over{newline}lines */"]
    between = st.sampled_from(spaces + (remarks if client.comments else []))

    def gap() -> str:
        return draw(between)

    def text_of(value: Any) -> str:
        match value:
            case dict():
                return bracketed("{}", [f"{text_of(key)}{gap()}:{gap()}{text_of(each)}" for key, each in value.items()])
            case list():
                return bracketed("[]", [text_of(each) for each in value])
            case _:
                return json.dumps(value, ensure_ascii=draw(st.booleans()))

    def bracketed(pair: str, items: list[str]) -> str:
        inner = f"{gap()},{gap()}".join(items) if not items else (f"{gap()},").join(gap() + item for item in items)
        trailing = "," if items and client.trailing_commas and draw(st.booleans()) else ""
        return pair[0] + inner + gap() + trailing + gap() + pair[1]

    return gap() + text_of(root) + gap()


def tokens(text: str) -> list[str]:
    return re.findall(r'"(?:[^"\\]|\\.)*"|//[^\r\n]*|/\*.*?\*/|[{}\[\]:]|[^\s{}\[\]:,"/]+', text, re.S)


def comments(text: str) -> list[str]:
    return [found for found in COMMENT.findall(text) if found]


def is_within(few: list[str], many: list[str]) -> bool:
    """Whether everything of the one stands in the other in the same order."""
    rest = iter(many)
    return all(token in rest for token in few)


def value_of(client: Client, text: str) -> dict[str, Any]:
    return read(client, text.encode())


@pytest.mark.matrix
@pytest.mark.parametrize("client", [STRICT, CLIENTS["gemini-cli"], LOOSE], ids=lambda client: client.name)
@given(data=st.data())
def test_our_entry_is_added_and_every_other_token_stays(client: Client, data: st.DataObject) -> None:
    text = data.draw(documents(client))
    after = applied(text, put(client, text, WORDS, Options(sandbox=True)))
    value, expected = value_of(client, after), value_of(client, text)
    ours = {**({"type": "stdio"} if client.typed else {}), **ENTRY}
    assert value == {**expected, client.servers: {**expected.get(client.servers, {}), NAME: ours}}
    assert list(value) == list(dict.fromkeys([*expected, client.servers])), "the order of names stays"
    assert is_within(tokens(text), tokens(after))
    assert comments(text) == comments(after)


@pytest.mark.parametrize("client", [STRICT, LOOSE], ids=lambda client: client.name)
@given(data=st.data())
def test_what_is_taken_out_is_our_entry_and_nothing_else(client: Client, data: st.DataObject) -> None:
    text = data.draw(documents(client))
    with_ours = applied(text, put(client, text, WORDS, Options()))
    after = applied(with_ours, taken_out(client, with_ours))
    assert tokens(after) == tokens(text) or {**value_of(client, text), client.servers: {}} == value_of(client, after)
    assert comments(text) == comments(after)


@pytest.mark.parametrize("client", [STRICT, LOOSE], ids=lambda client: client.name)
@given(data=st.data())
def test_an_entry_that_stands_anywhere_is_changed_in_place_and_keeps_its_settings(
    client: Client, data: st.DataObject
) -> None:
    entry = {
        "command": "C:\\old\\fraction-mcp.exe",
        "args": ["serve", "--profile", "old", "--read-only"],
        "env": {"A": "1"},
    }
    entry = dict(data.draw(st.permutations([*entry.items(), *([("type", "stdio")] if client.typed else [])])))
    listed = dict(data.draw(st.permutations([("before", {}), (NAME, entry), ("é", {"command": "x"})])))
    text = data.draw(st.composite(lambda draw: written(draw, {client.servers: listed, "theme": "dark"}, client))())
    after = applied(text, put(client, text, WORDS, Options(profile="new")))
    found = value_of(client, after)[client.servers]
    wanted = {**entry, "command": WORDS[0], "args": ["serve", "--profile", "new", "--read-only"]}
    assert found == {**listed, NAME: wanted}
    assert list(found) == list(listed)
    outside = re.sub(r'\[[^\[\]]*"--profile"[^\[\]]*\]', "", text)  # a comment in a list that is written anew goes
    assert is_within(comments(outside), comments(after))


SIGNS = [*'{}[],:"\\ \n\t', "\ufeff", "\u00a0", "é", "\x00", "٣"]
WHOLE = ['"a"', '"mcpServers"', '"\\u00e9"', '"\\x"', '"\x01"', "'a'", "true", "nul", "NaN", "//", "/*", "*/"]
NUMBERS = ["1", "-0.5e+3", "01", "1.", "+1", ".5"]
pieces = st.sampled_from([*SIGNS, *WHOLE, *NUMBERS])


@given(st.lists(pieces, max_size=12).map("".join) | documents(STRICT))
@example('{"a": 1,}')
@example("[1 2]")
@example('{"a" 1}')
@example("")
def test_it_takes_what_json_is_and_refuses_what_it_is_not(text: str) -> None:
    def refused(word: str) -> None:
        raise ValueError(word)

    try:
        expected = json.loads(text, parse_constant=refused, parse_int=str, parse_float=str)
    except ValueError:
        with pytest.raises(TextError):
            JsonText(text, comments=False, trailing_commas=False)
    else:
        assert JsonText(text, comments=False, trailing_commas=False).root.value == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"mcpServers": {}, "mcpServers": {}}', '"mcpServers" stands twice'),
        ('{"mcpServers": {"a": {}, "a": {}}}', '"a" stands twice'),
        ('{"theme": 1, "theme": 2}', '"theme" stands twice'),
        ('{"mcpServers": {"fraction": {"command": "fraction-mcp", "command": "x"}}}', '"command" stands twice'),
        ('{"mcpServers": null}', '"mcpServers" is not an object'),
        ('{"mcpServers": []}', '"mcpServers" is not an object'),
        ("[]", "it is not an object"),
        ('{\n "a": 1\n} // mine', "line 3: there is a comment"),
        ('{\n "a": [1,\n]\n}', "line 2: there is a comma behind the last item"),
        ('{"a": 1} {', "something behind the document's end"),
        ('{"a": 1', "a comma or } is missing"),
        ("{" * 3, "a text in quotes should stand here"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_what_cannot_be_changed_is_told_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(TextError, match=re.escape(told)):
        put(STRICT, text, WORDS, Options())


def test_a_name_twice_somewhere_else_is_nobody_s_business() -> None:
    text = '{"projects": {"a": 1, "a": 2}, "mcpServers": {}}'
    assert read_entry(STRICT, applied(text, put(STRICT, text, WORDS, Options())))


@pytest.mark.parametrize(("unit", "newline"), [("\t", "\n"), ("    ", "\r\n"), ("  ", "\n")])
def test_it_is_indented_and_ended_as_the_file_is(unit: str, newline: str) -> None:
    before = ["{", '>"mcpServers": {', '>>"a": {}', ">}", "}"]
    ours = ['>>"a": {},', '>>"fraction": {', '>>>"command": "C",', '>>>"args": ["serve"]', ">>}"]
    text, wanted = (newline.join(lines).replace(">", unit) for lines in (before, [*before[:2], *ours, *before[3:]]))
    assert applied(text, put(STRICT, text, ["C"], Options())) == wanted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"mcpServers":{"a":{}}}', '{"mcpServers":{"a":{},"fraction":{"command":"C","args":["serve"]}}}'),
        ('{"mcpServers": {"a": {}}}', '{"mcpServers": {"a": {}, "fraction": {"command": "C", "args": ["serve"]}}}'),
        ("{}", '{"mcpServers": {"fraction": {"command": "C", "args": ["serve"]}}}'),
    ],
)
def test_what_stands_on_one_line_stays_on_it(before: str, after: str) -> None:
    assert applied(before, put(STRICT, before, ["C"], Options())) == after


@pytest.mark.parametrize("nothing", ["", "\n", " \r\n"])
def test_an_empty_file_gets_a_document_of_ours_alone(nothing: str) -> None:
    lines = ["{", '  "mcpServers": {', '    "fraction": {', '      "command": "C",', '      "args": ["serve"]']
    newline = "\r\n" if "\r\n" in nothing else "\n"
    wanted = nothing + newline.join([*lines, "    }", "  }", "}", ""])
    assert applied(nothing, put(STRICT, nothing, ["C"], Options())) == wanted


@pytest.mark.parametrize("entry", ['{"command": "fraction-mcp"}', '{\n "command": "fraction-mcp" // mine\n}'])
def test_what_an_entry_by_hand_lacks_is_added(entry: str) -> None:
    text = '{"servers": {"fraction": ' + entry + "}}"
    after = applied(text, put(LOOSE, text, ["C"], Options()))
    assert read_entry(LOOSE, after) == {"type": "stdio", "command": "C", "args": ["serve"]}
    assert comments(after) == comments(text)


def test_comments_stay_with_what_they_are_about() -> None:
    text = (
        "{\n  // all of mine\n  \"servers\": {\n    \"a\": {}, // the first\n    \"b\": {} // the second\n"
        "    // \"c\": {}\n  }\n}\n"
    )  # fmt: skip
    after = applied(text, put(LOOSE, text, ["C"], Options()))
    assert '    "b": {}, // the second\n    "fraction": {' in after
    assert '    }\n    // "c": {}\n  }\n}\n' in after
    assert applied(after, taken_out(LOOSE, after)) == text


def test_a_trailing_comma_is_kept_up() -> None:
    text = '{\n  "servers": {\n    "a": {},\n  },\n}\n'
    after = applied(text, put(LOOSE, text, ["C"], Options()))
    assert after.count("\n    },\n") == 1
    assert applied(after, taken_out(LOOSE, after)) == text
