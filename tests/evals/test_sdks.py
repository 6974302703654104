"""The loop through the providers' own SDKs, where they are installed, against a server of this test's on a socket."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from evals.grading import flaws
from evals.providers import Provider, model_of
from evals.run import perform
from evals.tasks import all_tasks

pytestmark = pytest.mark.anyio

TASK = all_tasks()["price-at-a-break"]
ASKED = {"part": "WIDGET-001", "quantity": 250, "customer": "Acme Corp"}
ANSWER = "10.00 each, 2500.00 in all"


def of_anthropic(asked: dict[str, Any]) -> dict[str, Any]:
    block = {"type": "tool_use", "id": "toolu_1", "name": "get_price_for_quantity", "input": ASKED}
    told = any(isinstance(one["content"], list) and "tool_result" in str(one["content"]) for one in asked["messages"])
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [{"type": "text", "text": ANSWER}] if told else [block],
        "stop_reason": "end_turn" if told else "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": 10},
    }


def of_openai(asked: dict[str, Any]) -> dict[str, Any]:
    function = {"name": "get_price_for_quantity", "arguments": json.dumps(ASKED)}
    called = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "type": "function", "function": function}],
    }
    told = any(one["role"] == "tool" for one in asked["messages"])
    message = {"role": "assistant", "content": ANSWER} if told else called
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": asked["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        told = of_anthropic(asked) if self.path.endswith("/messages") else of_openai(asked)
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """It says nothing."""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        base = f"http://127.0.0.1:{server.server_port}"
        for name, value in {"ANTHROPIC_BASE_URL": base, "OPENAI_BASE_URL": f"{base}/v1", "NO_PROXY": "*"}.items():
            monkeypatch.setenv(name, value)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
async def test_the_provider_s_own_sdk_carries_the_conversation(
    provider: Provider, served: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(provider, reason=f"pip install {provider}")
    monkeypatch.setenv(f"{provider.upper()}_API_KEY", "a key")
    model = model_of(provider, "a-model")
    run = await perform(TASK, "a-model", lambda _: model)
    assert flaws(TASK, run) == []
    assert (run.calls, run.sent, run.received) == (1, 200, 20)
