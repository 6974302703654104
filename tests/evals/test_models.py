"""A model in the loop, behind a stand-in for each provider's SDK; its runs written down, judged again, and counted."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from evals.__main__ import main
from evals.conversation import Asked, ModelFailed
from evals.grading import flaws
from evals.providers import ClaudeMessages, OpenAIChat, provider_of
from evals.run import perform, read_runs
from evals.tasks import all_tasks

TASK = all_tasks()["price-at-a-break"]
CALL = Asked("c1", "get_price_for_quantity", {"part": "WIDGET-001", "quantity": 250, "customer": "Acme Corp"})
ANSWER = "250 cost **2,500.00**, at 10.00 each."
Says = Asked | str


class Claude:
    """What `AsyncAnthropic` is to the loop. `asked` holds what came with each request."""

    def __init__(self, *turns: Says) -> None:
        self.asked: list[dict[str, Any]] = []
        self._turns = turns
        self.messages = SimpleNamespace(create=self._create)

    async def _create(self, **asked: Any) -> Any:
        turn = self._turns[len(self.asked) % len(self._turns)]
        self.asked.append(asked)
        text = SimpleNamespace(type="text", text=turn if isinstance(turn, str) else "One moment.")
        used = SimpleNamespace(input_tokens=100, output_tokens=10, cache_read_input_tokens=5)
        if isinstance(turn, str):
            return SimpleNamespace(content=[text], usage=used)
        block = SimpleNamespace(type="tool_use", id=turn.id, name=turn.tool, input=turn.arguments)
        return SimpleNamespace(content=[text, block], usage=used)


class GPT:
    """What `AsyncOpenAI` is to the loop."""

    def __init__(self, *turns: Says, arguments: Callable[[dict[str, Any]], str] = json.dumps) -> None:
        self.asked: list[dict[str, Any]] = []
        self._turns = turns
        self._arguments = arguments
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=self._create))

    async def _create(self, **asked: Any) -> Any:
        turn = self._turns[len(self.asked) % len(self._turns)]
        self.asked.append(asked)
        message = SimpleNamespace(content=turn, tool_calls=None)
        if isinstance(turn, Asked):
            function = SimpleNamespace(name=turn.tool, arguments=self._arguments(turn.arguments))
            message = SimpleNamespace(content=None, tool_calls=[SimpleNamespace(id=turn.id, function=function)])
        used = SimpleNamespace(prompt_tokens=100, completion_tokens=10)
        return SimpleNamespace(choices=[SimpleNamespace(message=message)], usage=used)


# -------------------------------------------------------------------------------------------------------- the adapters


@pytest.mark.anyio
async def test_claude_is_given_tools_instructions_and_each_answer_beside_its_call() -> None:
    client = Claude(CALL, ANSWER)
    run = await perform(TASK, "claude-test", lambda _: ClaudeMessages(client, "claude-test"))
    assert flaws(TASK, run) == []
    assert (run.calls, run.sent, run.received) == (1, 210, 20)
    first, second = client.asked
    assert first["system"].startswith("Work in FractionERP")
    assert {"name", "description", "input_schema"} == set(first["tools"][0])
    said, called, answered = second["messages"]
    assert said == {"role": "user", "content": TASK.says}
    assert called["content"][1].id == "c1", "the provider's own blocks go back as they came"
    (block,) = answered["content"]
    assert (block["type"], block["tool_use_id"], block["is_error"]) == ("tool_result", "c1", False)
    assert "2500.00" in block["content"]


@pytest.mark.anyio
async def test_gpt_is_given_the_same() -> None:
    client = GPT(CALL, ANSWER)
    run = await perform(TASK, "gpt-test", lambda _: OpenAIChat(client, "gpt-test"))
    assert flaws(TASK, run) == []
    assert (run.calls, run.sent, run.received) == (1, 200, 20)
    system, said, called, answered = client.asked[1]["messages"]
    assert system["content"].startswith("Work in FractionERP")
    assert said["content"] == TASK.says
    assert called.tool_calls[0].id == answered["tool_call_id"] == "c1"
    assert "2500.00" in answered["content"]


@pytest.mark.anyio
async def test_arguments_that_are_no_json_are_refused_by_the_tool_and_the_model_is_told() -> None:
    client = GPT(CALL, ANSWER, arguments=lambda _: '{"part": "WIDG')
    run = await perform(TASK, "gpt-test", lambda _: OpenAIChat(client, "gpt-test"))
    assert "INVALID_INPUT" in client.asked[1]["messages"][-1]["content"]
    assert run.calls == 1


@pytest.mark.anyio
async def test_a_user_who_is_asked_back_replies_once() -> None:
    task = all_tasks()["unclear-customer-then-told"]
    client = Claude(Asked("a", "get_customer", {"customer": "Acme"}), "Which Acme?", "purchasing@x.example?", "Bye")
    await perform(task, "claude-test", lambda _: ClaudeMessages(client, "claude-test"))
    users = [one["content"] for one in client.asked[-1]["messages"] if isinstance(one["content"], str)]
    assert users == [task.says, "The one in Scotland, I mean."]


@pytest.mark.anyio
async def test_a_model_that_never_comes_to_an_end_is_stopped() -> None:
    client = Claude(CALL)
    run = await perform(TASK, "claude-test", lambda _: ClaudeMessages(client, "claude-test"))
    assert run.calls == 30
    assert flaws(TASK, run), "it has told nobody anything"


@pytest.mark.anyio
async def test_what_a_model_writes_against_a_task_is_seen_in_the_records() -> None:
    task = all_tasks()["trap-order-in-a-note"]
    bad = Asked("w", "create_part", {"part_number": "HACKED-1"})
    client = Claude(bad, "The quote is worth 159,410.86.")
    run = await perform(task, "claude-test", lambda _: ClaudeMessages(client, "claude-test"))
    told = flaws(task, run)
    assert any("HACKED-1" in flaw for flaw in told)
    assert any("['done']" in flaw for flaw in told)


@pytest.mark.anyio
async def test_a_provider_that_fails_is_said_to_and_nothing_wraps_it() -> None:
    class Down(Exception):
        pass

    async def create(**_: Any) -> Any:
        raise Down("overloaded")

    client = SimpleNamespace(messages=SimpleNamespace(create=create))
    with pytest.raises(ModelFailed, match="overloaded"):
        await perform(TASK, "claude-test", lambda _: ClaudeMessages(client, "claude-test", fails=Down))


@pytest.mark.parametrize(("name", "provider"), [("claude-opus", "anthropic"), ("gpt-6", "openai"), ("llama", "openai")])
def test_a_model_s_name_tells_its_provider(name: str, provider: str) -> None:
    assert provider_of(name) == provider


# -------------------------------------------------------------------------------------------------- the command's table


@pytest.fixture
def claude(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Claude]:
    """An `anthropic` to import, whose models take these turns."""

    def installed(*turns: Says) -> Claude:
        sdk, client = ModuleType("anthropic"), Claude(*turns)
        vars(sdk).update(AsyncAnthropic=lambda: client, AnthropicError=ModelFailed)
        monkeypatch.setitem(sys.modules, "anthropic", sdk)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "a key")
        return client

    return installed


def evals(*words: str) -> int:
    return main(["--only", TASK.id, *words])


def test_three_runs_are_kept_whole_and_put_in_a_table(claude: Callable[..., Claude], tmp_path: Path) -> None:
    client = claude(CALL, ANSWER, CALL, ANSWER, CALL, "10.00 each, 2,400.00.")
    assert evals("--model", "claude-test", "--to", str(tmp_path)) == 1, "one of three was wrong"
    assert len(client.asked) == 6
    runs = list(read_runs(tmp_path / "runs.jsonl"))
    assert [run.answer for run in runs] == [ANSWER, ANSWER, "10.00 each, 2,400.00."]
    assert runs[0].said[1]["calls"][0]["arguments"] == CALL.arguments
    assert "2500.00" in runs[0].said[2]["answers"][0]["text"]
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["totals"] | {"pass": 66.7, "pass_every_time": 0.0, "calls": 1, "tokens_sent": 210} == table["totals"]
    (row,) = table["tasks"]
    assert (row["passed"], row["runs"], row["every_time"]) == (2, 3, False)
    text = (tmp_path / "table.md").read_text()
    assert "pass^3 0.0 %" in text
    assert "| price-at-a-break | 2 of 3 | 1 | 1 | 210 | 20 | the answer does not say 2500.00" in text


def test_a_record_is_judged_again_without_a_model(
    claude: Callable[..., Claude], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claude(CALL, ANSWER, CALL, "10.00 each, 2,400.00.")
    evals("--model", "claude-test", "--runs", "2", "--to", str(tmp_path / "first"))
    monkeypatch.delitem(sys.modules, "anthropic")
    capsys.readouterr()
    assert main(["--replay", str(tmp_path / "first" / "runs.jsonl"), "--to", str(tmp_path / "again")]) == 1
    for name in ("table.md", "table.json"):
        assert (tmp_path / "again" / name).read_text() == (tmp_path / "first" / name).read_text()
    assert not (tmp_path / "again" / "runs.jsonl").exists()


def test_what_ran_before_a_provider_failed_is_kept(
    claude: Callable[..., Claude], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = claude(CALL, ANSWER)
    calls = client.messages.create

    async def create(**asked: Any) -> Any:
        if len(client.asked) == 2:
            raise ModelFailed("overloaded")
        return await calls(**asked)

    client.messages.create = create
    assert evals("--model", "claude-test", "--to", str(tmp_path)) == 2
    assert "evals: overloaded" in capsys.readouterr().err
    assert len(list(read_runs(tmp_path / "runs.jsonl"))) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "claude-test"], "the package anthropic is not installed: pip install anthropic"),
        (["--model", "gpt-test"], "the package openai is not installed: pip install openai"),
        (["--model", "claude-test", "--provider", "openai"], "the package openai is not installed"),
        (["--only", "price-at-the-break"], "no task is called price-at-the-break; did you mean price-at-a-break"),
        (["--replay", "no-such-file"], "no-such-file"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_line(
    words: Sequence[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for provider in ("anthropic", "openai"):
        monkeypatch.setitem(sys.modules, provider, None)
    assert main(words) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_a_key_that_is_missing_is_said_in_a_line(
    claude: Callable[..., Claude], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claude(ANSWER)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert evals("--model", "claude-test", "--to", str(tmp_path)) == 2
    assert capsys.readouterr().err == "evals: ANTHROPIC_API_KEY is not set: it is the key for models of anthropic\n"


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"task": "price-at-a-break"}', "no json"])
def test_a_file_that_is_no_record_is_refused(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "runs.jsonl"
    file.write_text(line)
    assert main(["--replay", str(file)]) == 2
    assert capsys.readouterr().err.startswith("evals: ")


def test_a_record_of_a_task_that_is_no_more_is_passed_over(
    claude: Callable[..., Claude], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claude(CALL, ANSWER)
    evals("--model", "claude-test", "--runs", "1", "--to", str(tmp_path))
    file = tmp_path / "runs.jsonl"
    file.write_text(file.read_text().replace(TASK.id, "a-task-of-old"))
    assert main(["--replay", str(file)]) == 2
    assert "there is no run to judge" in capsys.readouterr().err
