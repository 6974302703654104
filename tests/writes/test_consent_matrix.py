"""Eight ways in which a client behaves, in both protocol eras, for a small write and a large one with warnings: what
its person is shown, and that the journal and the ERP hold what a person explicitly decided, and nothing else."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from mcp import MCPError
from mcp.types import (
    ClientCapabilities,
    ElicitationCapability,
    ElicitRequestURLParams,
    ElicitResult,
    ErrorData,
    FormElicitationCapability,
    Implementation,
    UrlElicitationCapability,
)

from tests.writes.firm import Firm

pytestmark = pytest.mark.anyio

SMALL = ("create_part", {"part_number": "MATRIX-1"})
BREAKS = [{"quantity": 1, "unit_price": "12.50"}, {"quantity": 100, "unit_price": "1.00"},
          {"quantity": 300, "unit_price": "14.00"}]  # fmt: skip
LARGE = ("set_price_list", {"part": "WIDGET-001", "customer": "Acme Corp", "price_breaks": BREAKS})
ADDRESS = "http://127.0.0.1:9"
BY_ITSELF_S = 0.03


@dataclass
class Client:
    """One behaviour: what it calls itself and declares, what its person sees of a question, and what it answers."""

    name: str
    form: bool = True
    url: bool = False
    sees: Callable[[str], str] = lambda message: message
    answers: str = "approve"
    after_s: float = 5.0
    shown: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    async def __call__(self, _context: Any, question: Any) -> ElicitResult | ErrorData:
        if isinstance(question, ElicitRequestURLParams):
            assert self.url, "it was sent an address that it does not take"
            self.addresses.append(question.url)
            self.shown.append(self.sees(question.message))
            return ElicitResult(action="accept")
        assert self.form, "it was sent a form that it does not take"
        self.shown.append(self.sees(question.message))
        values = [choice["const"] for choice in question.requested_schema["properties"]["decision"]["oneOf"]]
        assert values == ["decline", "approve"], "hosts were seen to select the first"
        if self.answers == "error":
            return ErrorData(code=-32601, message="Method not found")
        content = {"decision": "approve"} if self.answers == "approve" else {}
        return ElicitResult(action="accept", content=content)  # type: ignore[arg-type]

    @property
    def capabilities(self) -> ClientCapabilities:
        able = ElicitationCapability(
            form=FormElicitationCapability() if self.form else None,
            url=UrlElicitationCapability() if self.url else None,
        )
        return ClientCapabilities(elicitation=able if self.form or self.url else None)


def three_lines(message: str) -> str:
    """Claude Code at 110 columns."""
    return message[:330]


BEHAVIOURS: dict[str, Callable[[], Client]] = {
    "shows all": lambda: Client("fraction-mcp"),
    "shows three lines": lambda: Client("claude-code", url=True, sees=three_lines),
    "joins lines": lambda: Client("inspector-cli", sees=lambda message: " ".join(message.split("\n"))),
    "URL only": lambda: Client("a browser", form=False, url=True),
    "none": lambda: Client("claude-ai", form=False),
    "answers at once": lambda: Client("fraction-mcp", after_s=BY_ITSELF_S),
    "empty accept": lambda: Client("fraction-mcp", answers="nothing"),
    "error": lambda: Client("fraction-mcp", answers="error"),
}
# A person decides where the question is shown whole, and nowhere else.
DECIDES = {"shows all", "joins lines"}


@pytest.fixture
def inbox_here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """This machine has a browser; the inbox itself is `tests/approvals`' business. Whose person it was opened for."""
    from fraction_mcp.runtime import Runtime

    opened: list[str] = []

    async def address(_runtime: Runtime, write: Any) -> str:
        return f"{ADDRESS}/writes/{write.id}"

    async def open_inbox(_runtime: Runtime) -> None:
        opened.append("the inbox")

    monkeypatch.setattr(Runtime, "address_of", address)
    monkeypatch.setattr(Runtime, "open_inbox", open_inbox)
    return opened


async def asked(firm: Firm, monkeypatch: pytest.MonkeyPatch, client: Client, mode: str, write: Any) -> tuple[Any, Any]:
    """The call's result ({} where the client ended it), and the write as the journal then holds it."""
    from mcp.client.session import ClientSession

    monkeypatch.setattr(ClientSession, "_build_capabilities", lambda *_a, **_k: client.capabilities)
    callback: Callable[..., Awaitable[Any]] | None = client if client.form or client.url else None
    info = Implementation(name=client.name, version="1")
    given: dict[str, Any] = {"mode": mode, "reads_s": client.after_s, "client_info": info, "elicitation": "auto"}
    async with firm.seat(callback, **given) as seat:
        try:
            result = await seat.call(write[0], **write[1])
        except MCPError:
            result = {}
        journal = (await seat.runtime.write_service()).journal
        kept, *_ = await journal.latest()
        assert await journal.verify() == ""
        return result, (kept, await journal.events(kept.id))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("write", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
async def test_what_is_written_is_what_a_person_saw_and_explicitly_approved(  # noqa: PLR0917 - the matrix
    firm: Firm, monkeypatch: pytest.MonkeyPatch, inbox_here: list[str], behaviour: str, write: Any, mode: str
) -> None:
    monkeypatch.setattr("fraction_mcp.server.consent._PAGE_S", 0.05)
    client = BEHAVIOURS[behaviour]()
    result, (kept, events) = await asked(firm, monkeypatch, client, mode, write)

    if behaviour in DECIDES:
        assert (result["outcome"], kept.state) == ("done", "done")
        assert len(firm.sent()) == 1
        (shown,) = client.shown
        for words in (*kept.plan.warnings, "Harrow & Pike Precision Ltd", "demo@harrow-pike.example"):
            assert words in shown
        for row in kept.plan.preview:
            assert row.after is None or row.after in shown
    else:
        assert kept.state == "awaiting_approval"
        assert result.get("outcome", "awaiting_approval") == "awaiting_approval"
        assert firm.sent() == []
        assert "approved" not in [event.kind for event in events]

    if client.url:  # an address alone: it holds no secret, and no answer to it decides
        assert client.addresses == [f"{ADDRESS}/writes/{kept.id}"]
    if behaviour == "none":
        assert client.shown == []
        assert inbox_here
    questions = [event.detail for event in events if event.kind == "asked"]
    assert len(questions) == len(client.shown)
    if write is LARGE and client.shown:
        assert len(kept.plan.warnings) >= 3
        gravest = "at 100 the customer would pay 1.00 instead of 10.00"
        assert gravest in client.shown[0][:100].replace("At", "at"), "it stands where every host still shows it"
    if behaviour == "answers at once":
        (answer,) = [event.detail for event in events if event.kind == "answered"]
        assert (answer["sent"]["action"], answer["counts_as"]) == ("accept", "")
        assert answer["after_s"] < 1
        assert result["summary"].startswith("Nobody was asked: fraction-mcp 1 answered by itself")
        assert inbox_here
    if behaviour == "error" and mode == "legacy":  # in rounds, it is the call that the client gives up
        (answer,) = [event.detail for event in events if event.kind == "answered"]
        assert "TaskGroup" not in answer["sent"]["error"], "what went wrong, not what it was wrapped in"
    if behaviour == "empty accept":
        assert result["summary"].startswith("Nobody has decided: the question was closed in fraction-mcp 1")
        assert inbox_here


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_after_an_answer_that_is_nobody_s_the_write_is_asked_about_by_no_further_form(
    firm: Firm, monkeypatch: pytest.MonkeyPatch, inbox_here: list[str], mode: str
) -> None:
    quick = BEHAVIOURS["answers at once"]()
    await asked(firm, monkeypatch, quick, mode, SMALL)
    patient = BEHAVIOURS["shows all"]()
    result, (kept, _) = await asked(firm, monkeypatch, patient, mode, SMALL)
    assert (patient.shown, result["outcome"], kept.state) == ([], "awaiting_approval", "awaiting_approval")
    assert len(inbox_here) == 2
    assert firm.sent() == []


async def test_an_answer_that_came_too_fast_counts_no_more_when_it_is_sent_again(firm: Firm) -> None:
    yes = ElicitResult(action="accept", content={"decision": "approve"})
    async with firm.seat("yes") as seat:
        question = await seat.round(*SMALL)
        seat.clock.passes(-2.0)  # what the next line lets pass
        first = await seat.round(*SMALL, question.request_state, yes)
        again = await seat.round(*SMALL, question.request_state, yes)  # two seconds later
    assert [one.structured_content["outcome"] for one in (first, again)] == ["awaiting_approval"] * 2
    assert firm.sent() == []


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_host_that_is_not_known_is_asked_in_one_paragraph_or_not_at_all(
    firm: Firm, monkeypatch: pytest.MonkeyPatch, inbox_here: list[str], mode: str
) -> None:
    small = Client("some editor")
    result, (kept, _) = await asked(firm, monkeypatch, small, mode, SMALL)
    assert (result["outcome"], kept.state) == ("done", "done")
    (shown,) = small.shown
    assert len(shown) <= 240
    assert "\n" not in shown
    assert "MATRIX-1" in shown
    assert "Harrow & Pike Precision Ltd" in shown
    assert "demo@harrow-pike.example" in shown


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_question_that_does_not_fit_a_paragraph_is_sent_to_no_host_that_is_not_known(
    firm: Firm, monkeypatch: pytest.MonkeyPatch, inbox_here: list[str], mode: str
) -> None:
    large = Client("some editor")
    result, (kept, _) = await asked(firm, monkeypatch, large, mode, LARGE)
    assert (large.shown, result["outcome"], kept.state) == ([], "awaiting_approval", "awaiting_approval")
    assert inbox_here


async def test_codex_is_never_sent_an_address_and_claude_code_never_a_form(
    firm: Firm, monkeypatch: pytest.MonkeyPatch, inbox_here: list[str]
) -> None:
    codex = Client("codex-mcp-client", url=True)
    await asked(firm, monkeypatch, codex, "legacy", LARGE)
    assert (codex.addresses, codex.shown) == ([], [])
    monkeypatch.setattr("fraction_mcp.runtime.Runtime.address_of", _nowhere)
    claude = Client("claude-code", url=True)
    await asked(firm, monkeypatch, claude, "auto", SMALL)
    assert (claude.addresses, claude.shown) == ([], [])


async def _nowhere(*_: Any) -> str:
    return ""


@pytest.mark.parametrize("left_open", [False, True])
async def test_an_older_client_s_call_waits_for_the_page_and_is_told_when_it_is_over(
    firm: Firm, monkeypatch: pytest.MonkeyPatch, inbox_here: list[str], left_open: bool
) -> None:
    from fraction_mcp.operations.writes.service import WriteService
    from fraction_mcp.server import consent

    monkeypatch.setattr(consent, "_PAGE_S", 0.1 if left_open else 10)
    decided, completed = anyio.Event(), []
    real = WriteService.write

    async def decided_on_the_page(service: Any, write_id: str) -> Any:
        if not left_open and not decided.is_set():
            decided.set()
            await service.decline(await real(service, write_id), by="a person in the approval inbox")
        return await real(service, write_id)

    async def complete(_session: Any, elicitation_id: str, _request: Any = None) -> None:
        completed.append(elicitation_id)

    monkeypatch.setattr(WriteService, "write", decided_on_the_page)
    monkeypatch.setattr("mcp.server.session.ServerSession.send_elicit_complete", complete)
    client = BEHAVIOURS["URL only"]()
    result, (kept, events) = await asked(firm, monkeypatch, client, "legacy", SMALL)
    outcome = "awaiting_approval" if left_open else "declined"
    assert (result["outcome"], kept.state) == (outcome, outcome)
    question = next(event.detail for event in events if event.kind == "asked")
    assert completed == ([] if left_open else [question["nonce"]])
    assert inbox_here == [], "the person is on the page already"
