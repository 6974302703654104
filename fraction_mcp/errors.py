"""Every error this package raises on purpose, and what each one tells the reader who can act on it.

    FractionMcpError(message, hint)        class attributes: code, retryable
    ├─ ConfigError                         the operator's; raised at start
    ├─ NotConfigured                       a tool of an ERP that has no credentials here
    ├─ InputError                          the assistant can mend it; path -> reason
    ├─ AmbiguousReference                  a name that is not one record; candidates
    ├─ BatchRefused                        writes that were asked for together and cannot be; index -> why
    ├─ ConsentError                        a confirmation that does not count
    │  └─ NotTheApprover                   it needs the yes of somebody else
    ├─ ReadOnly                            a tool that writes, where nothing may be written
    ├─ TooManyWaiting                      so many writes wait that nobody would read another
    ├─ WriteNotFound                       no write of that id is in the journal
    ├─ TooCostly                           would eat too much of the rate budget; nothing was started
    ├─ JournalError(where)                 the journal's database failed; nothing was sent since
    │  └─ JournalUnreachable               it may answer in a while: stopped, frozen, locked by another
    └─ ErpError(system, operation, status, request_id)
       ├─ ErpUnreachable                   nothing was sent
       ├─ BudgetSpent(retry_after_s)       nothing was sent, since the ERP has said that nothing is left
       ├─ ErpOutcomeUnknown                a write was sent, no answer
       ├─ ErpRejected                      the ERP said no, in its own words
       │  ├─ NotAuthenticated
       │  ├─ Forbidden
       │  ├─ PlanRestricted
       │  ├─ AccountInactive
       │  ├─ NotFound
       │  ├─ Duplicate
       │  ├─ InvalidFields
       │  └─ RateLimited(retry_after_s)
       ├─ ErpBroken                        5xx, or a connection that broke under a read
       │  └─ ErpTimedOut                   no answer to a read in time
       └─ ErpContractBroken                an answer that cannot be read

`erp.decipher` alone chooses between the ERP's errors, `server` alone turns any of them into a result. No error
carries a response body or a secret.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

__all__ = [
    "AccountInactive",
    "AmbiguousReference",
    "BatchRefused",
    "BudgetSpent",
    "ConfigError",
    "ConsentError",
    "Duplicate",
    "ErpBroken",
    "ErpContractBroken",
    "ErpError",
    "ErpOutcomeUnknown",
    "ErpRejected",
    "ErpTimedOut",
    "ErpUnreachable",
    "Forbidden",
    "FractionMcpError",
    "InputError",
    "InvalidFields",
    "JournalError",
    "JournalUnreachable",
    "NotAuthenticated",
    "NotConfigured",
    "NotFound",
    "NotTheApprover",
    "PlanRestricted",
    "RateLimited",
    "ReadOnly",
    "TooCostly",
    "TooManyWaiting",
    "WriteNotFound",
]


class FractionMcpError(Exception):
    """What happened (`message`), and what to do about it (`hint`).

    `mend` is the hint where whoever raises it has no better one: who can mend it, and whether to try again. It is empty
    where that depends on the reader: who runs a command at a terminal runs the server, too.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    retryable: ClassVar[bool] = False
    mend: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.mend


class ConfigError(FractionMcpError):
    """The operator's settings do not allow a start. `where` is as for a JournalError."""

    code = "NOT_CONFIGURED"

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message, hint=hint)
        self.where = where


class NotConfigured(FractionMcpError):
    """The ERP that this tool works in has no credentials here."""

    code = "NOT_CONFIGURED"
    mend = "Whoever runs this server sets its account; trying again before does not help."


class InputError(FractionMcpError):
    """The arguments cannot mean anything. `problems` maps a path such as `lines[2].quantity` to the reason."""

    code = "INVALID_INPUT"
    mend = "Mend the arguments, then call again."

    def __init__(self, problems: Mapping[str, str] | Sequence[tuple[str, str]], *, hint: str = "") -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{path}: {reason}" for path, reason in self.problems.items()), hint=hint)


class AmbiguousReference(FractionMcpError):
    """A name that a write cannot rest on. `status` is `ambiguous` or `not_found`; `candidates` are what comes near, and
    `sought` what was looked for (`operations.writes.plan.thing`), empty where nothing here could make it."""

    code = "NOT_FOUND"
    mend = "Ask the user which one is meant."

    def __init__(
        self, message: str, *, next_step: str, status: str, candidates: Sequence[object], sought: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint=next_step)
        self.status = status
        self.candidates = tuple(candidates)
        self.sought = sought


class BatchRefused(FractionMcpError):
    """Writes that were asked for together, and of which nothing was entered: `reasons` maps the index of each that
    cannot be to why, `tools` has the tool of each item."""

    code = "INVALID_INPUT"
    mend = "Mend the items that are named, then call again."

    def __init__(self, tools: Sequence[str], reasons: Mapping[int, FractionMcpError]) -> None:
        self.tools = tuple(tools)
        self.reasons = dict(sorted(reasons.items()))
        problems = [_of_item(index, self.called(index, tools), why) for index, why in self.reasons.items()]
        hints = dict.fromkeys(why.hint for why in self.reasons.values() if why.hint)
        super().__init__("; ".join(problems), hint=" ".join(hints))

    @staticmethod
    def called(index: int, tools: Sequence[str]) -> str:
        """How an item is named to whoever asked for it."""
        return f"writes[{index}] ({tools[index]})"


def _of_item(index: int, called: str, why: FractionMcpError) -> str:
    """An InputError's own path stands behind the item's; an empty one is about the item itself."""
    if not isinstance(why, InputError):
        return f"{called}: {why.message.rstrip('.')}"
    return "; ".join(
        f"writes[{index}].{path}: {reason}" if path else f"{called} {reason}" for path, reason in why.problems.items()
    )


class ConsentError(FractionMcpError):
    """A confirmation that does not count: wrong, used, expired, or given for another state of things."""

    code = "CONFIRMATION_INVALID"
    mend = "Call the write's own tool again: a person is asked anew."


class NotTheApprover(ConsentError):
    """The yes of somebody whose yes does not count for this write: whoever asked for it, or whom no rule names."""

    mend = "Tell the user: whoever may approve it decides in the approval inbox; until then it is kept."


class ReadOnly(FractionMcpError):
    """A tool that writes was called by its name on a server that only reads."""

    code = "READ_ONLY"

    def __init__(self, tool: str) -> None:
        super().__init__(
            f"this server is read-only, so {tool} is switched off; nothing was written",
            hint="Tell the user: whoever runs this server can allow writes. Trying again before does not help.",
        )


class TooManyWaiting(FractionMcpError):
    """One asker has so many writes waiting for a person that nobody would read another one."""

    code = "TOO_MANY_WAITING"
    mend = "Ask the user to decide about those that wait first."


class WriteNotFound(FractionMcpError):
    """No write of that id is in the journal."""

    code = "NOT_FOUND"


class TooCostly(FractionMcpError):
    """What was asked would eat too much of the ERP's rate budget, and was not started."""

    code = "RATE_LIMITED"
    mend = "Narrow what is asked for; the same again is refused until the limit is renewed."


class JournalError(FractionMcpError):
    """The journal's database failed, and nothing was sent since: what fails after a send is an ErpOutcomeUnknown.

    `where` names the database, without a password, for people at a terminal and logs; no tool's result shows it.
    """

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message, hint=hint)
        self.where = where


class JournalUnreachable(JournalError):
    """The journal's database does not answer, and may do so in a while."""

    retryable = True
    mend = "Try again in a moment; if it stays, whoever runs this server looks at the journal's database."


class ErpError(FractionMcpError):
    """Something between us and an ERP. `status` is the HTTP status, or None where no answer came."""

    code = "UPSTREAM_ERROR"
    mend = "Tell the user; whoever runs this server can look into its log."

    def __init__(
        self,
        message: str,
        *,
        system: str,
        operation: str,
        status: int | None = None,
        request_id: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.system = system
        self.operation = operation
        self.status = status
        self.request_id = request_id


class ErpUnreachable(ErpError):
    """No connection could be made: nothing was sent."""

    code = "UPSTREAM_UNREACHABLE"
    retryable = True
    mend = "Try again in a moment; if it stays, whoever runs this server checks its network and the address."


class ErpOutcomeUnknown(ErpError):
    """A write may have left, and no answer says what became of it."""

    code = "OUTCOME_UNKNOWN"
    mend = "Tell the user to look in the ERP. Do not ask for it again."


class ErpRejected(ErpError):
    """The ERP refused, in its own documented envelope."""

    mend = "The same again is refused again; whoever manages the ERP can say why."


class NotAuthenticated(ErpRejected):
    code = "NOT_AUTHENTICATED"
    mend = "Whoever runs this server checks the credentials of its account; trying again before does not help."


class Forbidden(ErpRejected):
    code = "FORBIDDEN"
    mend = (
        "The account of this server lacks the right: its administrator can grant it; trying again before does not help."
    )


class PlanRestricted(ErpRejected):
    code = "PLAN_RESTRICTED"
    mend = (
        "FractionERP itself refuses: API access needs its Pro or Moulding plan. Ask whoever manages the company's "
        "subscription, or FractionERP's support where it has one of these; trying again does not help."
    )


class AccountInactive(ErpRejected):
    code = "ACCOUNT_INACTIVE"
    mend = (
        "The company's FractionERP account is inactive: its administrator can reactivate it; "
        "trying again before does not help."
    )


class NotFound(ErpRejected):
    code = "NOT_FOUND"
    mend = "Look the record up in a list: the same again will not be found either."


class Duplicate(ErpRejected):
    code = "DUPLICATE"
    mend = "Look at the record that is there: the same again will be refused again."


class InvalidFields(ErpRejected):
    code = "VALIDATION_ERROR"
    mend = "Mend what it names, then call again."


class RateLimited(ErpRejected):
    """Too many requests. `retry_after_s` is how long the ERP asks us to wait, None where it does not say."""

    code = "RATE_LIMITED"
    retryable = True
    mend = "Wait a while, then ask again."

    def __init__(
        self, message: str, *, retry_after_s: float | None, system: str, operation: str, status: int, hint: str = ""
    ) -> None:
        super().__init__(message, system=system, operation=operation, status=status, hint=hint)
        self.retry_after_s = retry_after_s


class BudgetSpent(ErpError):
    """The ERP has said that nothing is left of its rate budget: nothing was sent. Ready again in `retry_after_s`."""

    code = "RATE_LIMITED"
    retryable = True
    mend = "Wait a while, then ask again."

    def __init__(self, message: str, *, retry_after_s: float, system: str, operation: str, hint: str = "") -> None:
        super().__init__(message, system=system, operation=operation, hint=hint)
        self.retry_after_s = retry_after_s


class ErpBroken(ErpError):
    """The ERP failed (5xx), or the connection broke under a read."""

    retryable = True
    mend = "Try again in a moment; if it stays, the ERP's support can mend it."


class ErpTimedOut(ErpBroken):
    """No answer to a read in time."""


class ErpContractBroken(ErpError):
    """An answer that cannot be read as what the documents promise: HTML, nothing, cut JSON, a wrong type."""

    code = "UPSTREAM_UNREADABLE"
    mend = "Trying again seldom helps: whoever runs this server checks the base URL and any proxy in between."
