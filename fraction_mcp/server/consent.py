"""How a person is asked about writes through the client that a call came from, and what of its answer is a person's.

Fails closed, twice. *Seen, or not asked*: a form goes only to whoever is known to show all of it, an address only where
its page can be opened, and otherwise nothing is asked here. *A host is not a person*: hosts were seen to answer what
nobody saw, so only an explicit choice counts, and none that comes faster than a person reads; after anything else the
write waits, and is asked about by no further question. The journal has each question, and what was sent to it.
"""

import json
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import anyio
from mcp.server import ServerRequestContext
from mcp.types import (
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
)

from fraction_mcp.operations.writes.batch import Batch
from fraction_mcp.operations.writes.event import EventDetail
from fraction_mcp.operations.writes.service import WriteService
from fraction_mcp.operations.writes.states import State, Step
from fraction_mcp.operations.writes.write import Write
from fraction_mcp.runtime import Runtime
from fraction_mcp.server.hosts import Shows, host_named
from fraction_mcp.server.question import choice_form, for_an_address, paragraph, whole
from fraction_mcp.values.text import clean

__all__ = ["Consent", "Reply"]

logger = logging.getLogger(__name__)

READING_S = 1.0
"""Nobody reads and answers faster: what comes within it was sent by a program."""

_ROUNDS_SINCE = "2026-07-28"
_ADDRESSES_SINCE = "2025-11-25"
_KEY = "decision"  # the name of the one question in a round
_TICK_S = 15.0
_LOOK_S = 0.5
_FIRST_S = 2.0
_PAGE_S = 600.0  # how long a call waits for the page that its address led to
_MOST_KEPT = 500  # characters of what a client sent, in the journal

_UNDER_WAY = (State.AWAITING, State.APPROVED, State.SENDING)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of asking. `why` says why nobody has chosen, where something was asked; `led` that a person was led to
    the write's page meanwhile."""

    choice: Literal["approve", "decline", ""] = ""
    why: str = ""
    led: bool = False


@dataclass(frozen=True, slots=True)
class _Question:
    """One question, before it is asked. `address` is empty for a form."""

    how: Literal["a form", "a short form", "an address"]
    message: str
    nonce: str
    address: str = ""


class Consent:
    """One call's way of asking its client."""

    def __init__(self, runtime: Runtime, ctx: ServerRequestContext[Any, Any], service: WriteService) -> None:
        self._runtime = runtime
        self._ctx = ctx
        self._service = service

    @property
    def client(self) -> str:
        info = self._ctx.session.client_params
        return f"{info.client_info.name} {info.client_info.version}" if info else "an MCP client"

    # ---------------------------------------------------------------------------------------------------------- asking

    async def ask(self, batch: Batch) -> InputRequiredResult | Reply:
        """Put what waits of a batch to the person at this client: a question to return, or what came of one."""
        question = await self._question(batch)
        if question is None:
            return Reply()
        facts: EventDetail = {"nonce": question.nonce, "how": question.how, "client": clean(self.client, 120)}
        await self._service.journal.asked(_ids(batch), facts, question.message)
        if self._in_rounds:
            return self._round(batch, question)
        try:
            async with self._ticking():
                answer = await self._sent(question)
        except Exception as error:  # noqa: BLE001 - whatever a client makes of it: it was claimed, and not delivered
            why = clean(str(_cause(error)), _MOST_KEPT)
            logger.warning("%s could not show the question for %s: %s", self.client, _ids(batch)[0], why)
            return await self._judged(batch, question.nonce, {"error": why}, "")
        reply = await self._answered(batch, question.nonce, answer, address=bool(question.address))
        if question.address and reply.led:
            await self._page_seen_to(batch, question.nonce)
        return reply

    async def _question(self, batch: Batch) -> _Question | None:
        """How this client is asked about them, in the order of house.md; None where it is not."""
        if not self._may_answer or not (self._in_rounds or self._ctx.session.can_send_request):
            return None
        if self._service.awaits(batch) or await self._left_unanswered(batch):  # this client is the asker's
            return None
        info = self._ctx.session.client_params
        host = host_named(info.client_info.name if info else "")
        nonce = secrets.token_urlsafe(12)
        vouched = self._runtime.settings.elicitation == "full"
        if self._shows_forms and (vouched or host.shows is Shows.WHOLE):
            return _Question("a form", whole(batch.waiting), nonce)
        if self._opens_addresses and not host.answers_addresses:
            address = await self._runtime.address_of(batch.waiting[0])
            if address:
                return _Question("an address", for_an_address(batch.waiting), nonce, address)
        if self._shows_forms and host.shows is not Shows.LINES:
            text = paragraph(batch.waiting)
            if text is not None:
                return _Question("a short form", text, nonce)
        return None

    @property
    def _in_rounds(self) -> bool:
        return self._ctx.protocol_version >= _ROUNDS_SINCE

    @property
    def _may_answer(self) -> bool:
        """Whether what this client answers may be a person's. It holds for a question, and for what comes back.

        Over HTTP without a sign-in, whoever reaches the port would answer their own forms.
        """
        signed_in = self._ctx.request is None or self._runtime.is_of_a_team
        return signed_in and self._runtime.settings.elicitation != "off"

    @property
    def _shows_forms(self) -> bool:
        """`elicitation: {}` means forms; one that names only `url` cannot show a form."""
        abilities = self._ctx.session.client_capabilities
        able = abilities.elicitation if abilities else None
        return able is not None and (able.form is not None or able.url is None)

    @property
    def _opens_addresses(self) -> bool:
        abilities = self._ctx.session.client_capabilities
        able = abilities.elicitation if abilities else None
        return able is not None and able.url is not None and self._ctx.protocol_version >= _ADDRESSES_SINCE

    async def _left_unanswered(self, batch: Batch) -> bool:
        """Whether a question about one of these was answered by nobody: the inbox or a terminal decides then."""
        for write in batch.waiting:
            events = await self._service.journal.events(write.id)
            if any(event.kind is Step.ANSWERED and not event.detail.get("counts_as") for event in events):
                return True
        return False

    def _round(self, batch: Batch, question: _Question) -> InputRequiredResult:
        """The question as a round of its own; the state that comes back is sealed by the boundary."""
        if question.address:
            elicitation = ElicitRequest(params=ElicitRequestURLParams(message=question.message, url=question.address))
        else:
            form = choice_form(self._ctx.protocol_version)
            elicitation = ElicitRequest(params=ElicitRequestFormParams(message=question.message, requested_schema=form))
        state = {"write": _ids(batch)[0], "digest": batch.digest, "since": batch.asked_anew_at}
        state |= {"nonce": question.nonce, "address": bool(question.address)}
        return InputRequiredResult(request_state=json.dumps(state), input_requests={_KEY: elicitation})

    async def _sent(self, question: _Question) -> ElicitResult:
        """Through the back channel of an older client."""
        session, request = self._ctx.session, self._ctx.request_id
        if question.address:
            return await session.elicit_url(question.message, question.address, question.nonce, request)
        return await session.elicit_form(question.message, choice_form(self._ctx.protocol_version), request)

    @asynccontextmanager
    async def _ticking(self) -> AsyncIterator[None]:
        """Signs of life while a person reads."""

        async def tick() -> None:
            for count in range(1, 10_000):
                await anyio.sleep(_TICK_S)
                await self._ctx.session.report_progress(count, None, "waiting for a person's answer")

        async with anyio.create_task_group() as group:
            group.start_soon(tick)
            yield
            group.cancel_scope.cancel()

    async def _page_seen_to(self, batch: Batch, nonce: str) -> None:
        """Wait for what a person decides on the page, and tell the client when they have."""
        with anyio.move_on_after(_PAGE_S):
            async with self._ticking():
                await self._decided(batch.waiting[0], _UNDER_WAY)
                while (await self._service.batch(batch.waiting[0])).is_under_way:  # noqa: ASYNC110 - as below
                    await anyio.sleep(_LOOK_S)
            await self._ctx.session.send_elicit_complete(nonce, self._ctx.request_id)

    async def _decided(self, write: Write, until_left: Sequence[State]) -> None:
        while (await self._service.write(write.id)).state in until_left:  # noqa: ASYNC110 - by another process, perhaps
            await anyio.sleep(_LOOK_S)

    # -------------------------------------------------------------------------------------------------------- answered

    async def reply_in(self, params: CallToolRequestParams) -> tuple[Batch, Reply] | None:
        """The writes whose question this call answers, and what the answer counts as. None where the call answers
        none, or one about a plan that has changed since: the question is then asked anew."""
        if params.request_state is None or not params.input_responses or not self._may_answer:
            return None
        if not (self._shows_forms or self._opens_addresses):
            return None
        state = json.loads(params.request_state)
        write = await self._service.journal.get(state["write"])
        if write is None:
            return None
        batch = await self._service.batch(write)
        if write.id not in _ids(batch):  # it changes nothing, and is told how it stands
            return batch, Reply()
        answer = params.input_responses.get(_KEY)
        if not isinstance(answer, ElicitResult):
            return None
        reply = await self._answered(batch, state["nonce"], answer, address=state["address"])
        # What came back unsent was answered once already, and what has changed is not what the person saw.
        same = (batch.digest, batch.asked_anew_at) == (state["digest"], state["since"])
        return (batch, reply) if same or (reply.why and not reply.choice) else None

    async def _answered(self, batch: Batch, nonce: str, answer: ElicitResult, *, address: bool) -> Reply:
        sent = {"action": answer.action, "content": clean(json.dumps(answer.content, default=str), _MOST_KEPT)}
        # No answer to an address decides anything.
        choice = "page" if address and answer.action == "accept" else "" if address else _choice(answer)
        return await self._judged(batch, nonce, sent, choice)

    async def _judged(self, batch: Batch, nonce: str, sent: dict[str, Any], choice: str) -> Reply:
        """Use the question up. A second answer to it counts for nothing, and asks for nothing either."""
        journal = self._service.journal
        counted = await journal.answer(_ids(batch), nonce=nonce, sent=sent, choice=choice, least_s=READING_S)
        if counted is None:
            await self._first_answer_carried_out(batch.waiting[0], nonce)
            return Reply()
        if counted.choice == "page":
            return Reply(led=True)
        if counted.choice in {"approve", "decline"}:
            return Reply("approve" if counted.choice == "approve" else "decline")
        return Reply(why=self._unanswered(sent, counted.after_s))

    async def _first_answer_carried_out(self, write: Write, nonce: str) -> None:
        """A host that repeats a call while its first answer is being carried out is told what came of that one."""
        events = await self._service.journal.events(write.id)
        answers = [event.detail for event in events if event.kind is Step.ANSWERED]
        if any(answer["nonce"] == nonce and answer["counts_as"] for answer in answers):
            with anyio.move_on_after(_FIRST_S):
                await self._decided(write, (State.AWAITING,))

    def _unanswered(self, sent: dict[str, Any], after_s: float) -> str:
        client = clean(self.client, 60)
        if "error" in sent:
            return f"Nobody was asked: {client} could not show the question."
        if after_s < READING_S:
            return f"Nobody was asked: {client} answered by itself, within a second."
        return f"Nobody has decided: the question was closed in {client} without a choice."


def _cause(error: Exception) -> Exception:
    """It comes out of a group of tasks, which wraps it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _ids(batch: Batch) -> list[str]:
    return [write.id for write in batch.waiting]


def _choice(answer: ElicitResult) -> str:
    """The explicit choice in a form's answer; an empty text where there is none."""
    if answer.action == "decline":
        return "decline"
    chosen = answer.content.get("decision") if answer.action == "accept" and answer.content else None
    only = bool(answer.content) and len(answer.content or {}) == 1
    return chosen if only and isinstance(chosen, str) and chosen in {"approve", "decline"} else ""
