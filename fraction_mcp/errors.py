"""Every error this package raises on purpose, and what each one tells the reader who can act on it.

    FractionMcpError(message, hint)        class attributes: code, retryable
    ├─ ConfigError                         the operator's; raised at start
    ├─ NotConfigured                       a tool of an ERP that has no credentials here
    ├─ InputError                          the assistant can mend it; path -> reason
    ├─ AmbiguousReference                  a name that is not one record; candidates
    ├─ BatchRefused                        writes that were asked for together and cannot be; index -> why
    ├─ ConsentError                        a confirmation that does not count
    ├─ ReadOnly                            a tool that writes, where nothing may be written
    ├─ TooManyWaiting                      so many writes wait that nobody would read another
    ├─ WriteNotFound                       no write of that id is in the journal
    ├─ TooCostly                           would eat too much of the rate budget; nothing was started
    ├─ JournalError(where)                 the journal's database failed; nothing was sent since
    │  └─ JournalUnreachable               it may answer in a while: stopped, frozen, locked by another
    └─ ErpError(system, operation, status, request_id)
       ├─ ErpUnreachable                   nothing was sent
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
    "PlanRestricted",
    "RateLimited",
    "ReadOnly",
    "TooCostly",
    "TooManyWaiting",
    "WriteNotFound",
]


class FractionMcpError(Exception):
    """What happened (`message`), and what to do about it (`hint`, may be empty)."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(FractionMcpError):
    """The operator's settings do not allow a start. `where` is as for a JournalError."""

    code = "NOT_CONFIGURED"

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message, hint=hint)
        self.where = where


class NotConfigured(FractionMcpError):
    """The ERP that this tool works in has no credentials here."""

    code = "NOT_CONFIGURED"


class InputError(FractionMcpError):
    """The arguments cannot mean anything. `problems` maps a path such as `lines[2].quantity` to the reason."""

    code = "INVALID_INPUT"

    def __init__(self, problems: Mapping[str, str] | Sequence[tuple[str, str]], *, hint: str = "") -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{path}: {reason}" for path, reason in self.problems.items()), hint=hint)


class AmbiguousReference(FractionMcpError):
    """A name that a write cannot rest on. `status` is `ambiguous` or `not_found`; `candidates` are what comes near, and
    `sought` what was looked for (`operations.writes.plan.thing`), empty where nothing here could make it."""

    code = "NOT_FOUND"

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

    def __init__(self, tools: Sequence[str], reasons: Mapping[int, FractionMcpError]) -> None:
        self.tools = tuple(tools)
        self.reasons = dict(sorted(reasons.items()))
        told = [_of_item(index, self.called(index, tools), why) for index, why in self.reasons.items()]
        hints = dict.fromkeys(why.hint for why in self.reasons.values() if why.hint)
        super().__init__("; ".join(told), hint=" ".join(hints))

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


class WriteNotFound(FractionMcpError):
    """No write of that id is in the journal."""

    code = "NOT_FOUND"


class TooCostly(FractionMcpError):
    """What was asked would eat too much of the ERP's rate budget, and was not started."""

    code = "RATE_LIMITED"


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


class ErpError(FractionMcpError):
    """Something between us and an ERP. `status` is the HTTP status, or None where no answer came."""

    code = "UPSTREAM_ERROR"

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


class ErpOutcomeUnknown(ErpError):
    """A write may have left, and no answer says what became of it."""

    code = "OUTCOME_UNKNOWN"


class ErpRejected(ErpError):
    """The ERP refused, in its own documented envelope."""


class NotAuthenticated(ErpRejected):
    code = "NOT_AUTHENTICATED"


class Forbidden(ErpRejected):
    code = "FORBIDDEN"


class PlanRestricted(ErpRejected):
    code = "PLAN_RESTRICTED"


class AccountInactive(ErpRejected):
    code = "ACCOUNT_INACTIVE"


class NotFound(ErpRejected):
    code = "NOT_FOUND"


class Duplicate(ErpRejected):
    code = "DUPLICATE"


class InvalidFields(ErpRejected):
    code = "VALIDATION_ERROR"


class RateLimited(ErpRejected):
    """Too many requests. `retry_after_s` is how long the ERP asks us to wait, None where it does not say."""

    code = "RATE_LIMITED"
    retryable = True

    def __init__(
        self, message: str, *, retry_after_s: float | None, system: str, operation: str, status: int, hint: str = ""
    ) -> None:
        super().__init__(message, system=system, operation=operation, status=status, hint=hint)
        self.retry_after_s = retry_after_s


class ErpBroken(ErpError):
    """The ERP failed (5xx), or the connection broke under a read."""

    retryable = True


class ErpTimedOut(ErpBroken):
    """No answer to a read in time."""


class ErpContractBroken(ErpError):
    """An answer that cannot be read as what the documents promise: HTML, nothing, cut JSON, a wrong type."""

    code = "UPSTREAM_UNREADABLE"
