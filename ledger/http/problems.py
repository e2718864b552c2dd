"""Problem documents: the one table from refusals and faults to HTTP (RFC 9457).

A refusal of the domain is 409 unless it stands below. What is told is the code, its sentence and the refusal's data;
what the caller sent is never repeated.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain import refusals as no
from domain.canonical import encode_trusted
from domain.refusals import Refusal, every_refusal
from domain.rules import table  # every act's own refusals are known once the acts are
from ledger.store.log import DatabaseUnreachable
from ledger.writer.writer import LedgerIsBusy, LedgerIsClosed
from projections import RebuildIsRunning, ViewIsBehind, ViewIsUnknown, ViewsUnreachable

assert table.RULES

MEDIA_TYPE: Final = "application/problem+json"

BAD_REQUEST, UNAUTHENTICATED, FORBIDDEN, UNKNOWN, CONFLICT = 400, 401, 403, 404, 409
NOT_ACCEPTABLE, MOVED, TOO_LARGE, WRONG_MEDIA, MISDIRECTED = 406, 412, 413, 415, 421
UNPROCESSABLE, UNAVAILABLE = 422, 503

_FORBIDDEN = (
    "role-is-not-held",
    "nobody-confirms-their-own-act",
)
_UNPROCESSABLE = (
    "code-is-not-listed",
    "time-has-no-offset",
    "idempotency-key-was-used-for-another-body",
    "rule-set-is-unknown",
    "time-zone-is-unknown",
    "amount-is-not-text",
    "amount-is-too-precise",
    "amount-is-malformed",
    "amount-is-out-of-range",
    "currency-is-unknown",
)


class NotFound(Exception):
    """There is nothing at the address; of what is named by an id, a refusal says so itself."""


class MediaTypeIsNotOffered(Exception):
    """What is asked for is there, but in none of the forms that are accepted; `offered` are those there are."""

    def __init__(self, offered: tuple[str, ...]) -> None:
        super().__init__(f"only as {', '.join(offered)}")
        self.offered = offered


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem that is not the domain's: the request's form, or the state of the service."""

    code: str
    status: int
    meaning: str
    retry_after: int | None = None


FAULTS: dict[str, Fault] = {
    fault.code: fault
    for fault in (
        Fault("not-found", UNKNOWN, "There is nothing at this address."),
        Fault(
            "method-is-not-allowed", 405, "Nothing recorded is ever edited or deleted; see which methods `Allow` names."
        ),
        Fault(
            "another-command-was-refused",
            CONFLICT,
            "Nothing was wrong with this command, but `refused` says which other of its atomic batch was refused.",
        ),
        Fault(
            "host-is-not-trusted",
            MISDIRECTED,
            "The service does not go by the name the request was sent to; `CUSTODY_TRUSTED_HOSTS` lists its names.",
        ),
        Fault("rebuild-is-running", CONFLICT, "A view is being made anew just now; ask again once that is done."),
        Fault("body-is-too-large", TOO_LARGE, "A command may have 64 KiB, a batch 8 MiB and 1,000 commands."),
        Fault(
            "media-type-is-not-supported",
            WRONG_MEDIA,
            "Commands are sent as `application/json` in UTF-8; many together also as `application/x-ndjson`.",
        ),
        Fault(
            "media-type-is-not-offered",
            NOT_ACCEPTABLE,
            "What is asked for is given in the forms that `offered` names; `Accept` takes none of them.",
        ),
        Fault(
            "ledger-is-busy",
            UNAVAILABLE,
            "Too much is waiting to be recorded, or too many follow the log already. Nothing of this request is "
            "recorded; send it again.",
            1,
        ),
        Fault("ledger-is-read-only", UNAVAILABLE, "The service answers questions and records nothing.", 30),
        Fault(
            "database-is-unreachable",
            UNAVAILABLE,
            "The database is gone, locked or full. Nothing is known to be recorded; send the same request with the "
            "same key again.",
            2,
        ),
        Fault(
            "projection-is-behind", UNAVAILABLE, "What is read has not come to the position asked for. Ask again.", 1
        ),
        Fault("internal-error", 500, "The service failed. Nothing of what was asked is known to have happened."),
    )
}


def status_of(kind: type[Refusal]) -> int:
    """The HTTP status of a refusal."""
    code = kind.code
    if kind is no.ActorIsUnknown:
        return UNAUTHENTICATED
    if kind is no.IdempotencyKeyIsMissing:
        return BAD_REQUEST
    if kind is no.EventIsTooLarge:
        return TOO_LARGE
    if kind is no.VersionHasMoved:
        return MOVED
    if code in _FORBIDDEN or code.startswith("actor-"):
        return FORBIDDEN
    if code in _UNPROCESSABLE:
        return UNPROCESSABLE
    return UNKNOWN if kind in _UNKNOWN_IDS else CONFLICT


_UNKNOWN_IDS = frozenset(
    {
        no.AuthorityIsUnknown,
        no.FacilityIsUnknown,
        no.AgreementIsUnknown,
        no.PersonIsUnknown,
        no.BasisIsUnknown,
        no.HoldIsUnknown,
        no.TransferIsUnknown,
        no.MovementIsUnknown,
        no.HandoverIsUnknown,
        no.ReleaseIsUnknown,
        no.ScheduleIsUnknown,
        no.InvoiceIsUnknown,
        no.EventIsUnknown,
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem document and the status it goes out with."""

    status: int
    document: Mapping[str, object]
    retry_after: int | None = None

    @property
    def code(self) -> str:
        """What the problem is called, for ever."""
        return str(self.document["code"])

    def body(self) -> bytes:
        """The document as bytes."""
        return encode_trusted(self.document)


def problem_of(refusal: Refusal, correlation_id: str) -> Problem:
    """The document of a refusal, with the data a person needs to go on."""
    status = status_of(type(refusal))
    if isinstance(refusal, no.BodyIsMalformed):
        status = UNPROCESSABLE if refusal.reason == "schema" else BAD_REQUEST
    return Problem(status, _document(refusal.code, status, meaning(type(refusal)), correlation_id, refusal.data()))


def problem_of_fault(code: str, correlation_id: str, **data: object) -> Problem:
    """The document of a fault named in `FAULTS`."""
    fault = FAULTS[code]
    return Problem(fault.status, _document(code, fault.status, fault.meaning, correlation_id, data), fault.retry_after)


def problem_of_exception(error: Exception, correlation_id: str) -> Problem:
    """The document of an exception that a request met."""
    if isinstance(error, Refusal):
        return problem_of(error, correlation_id)
    if isinstance(error, DatabaseUnreachable):
        return problem_of_fault("database-is-unreachable", correlation_id, reason=error.reason)
    if isinstance(error, LedgerIsBusy | LedgerIsClosed):
        return problem_of_fault("ledger-is-busy", correlation_id)
    if isinstance(error, MediaTypeIsNotOffered):
        return problem_of_fault("media-type-is-not-offered", correlation_id, offered=error.offered)
    if isinstance(error, NotFound | ViewIsUnknown):
        return problem_of_fault("not-found", correlation_id)
    if isinstance(error, ViewsUnreachable):
        return problem_of_fault("database-is-unreachable", correlation_id, reason=error.reason)
    if isinstance(error, ViewIsBehind):
        return problem_of_fault(
            "projection-is-behind",
            correlation_id,
            view=error.view,
            position=error.position,
            needed=error.needed,
            stopped=error.stopped,
        )
    if isinstance(error, RebuildIsRunning):
        return problem_of_fault("rebuild-is-running", correlation_id)
    return problem_of_fault("internal-error", correlation_id)


def meaning(kind: type[Refusal]) -> str:
    """The sentence behind a refusal's code."""
    return " ".join((inspect.getdoc(kind) or "").split())


def _document(
    code: str, status: int, detail: str, correlation_id: str, data: Mapping[str, object]
) -> dict[str, object]:
    # What a refusal calls the status of a person or a transfer must not pass for that of the answer.
    return {
        **{"state" if name == "status" else name: value for name, value in data.items()},
        "type": f"/problems/{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
        "correlation_id": correlation_id,
    }


def statuses(code: str) -> tuple[int, ...]:
    """The HTTP statuses that go with a code."""
    if code in FAULTS:
        return (FAULTS[code].status,)
    kind = next(kind for kind in every_refusal() if kind.code == code)
    return (BAD_REQUEST, UNPROCESSABLE) if kind is no.BodyIsMalformed else (status_of(kind),)


def catalogue() -> list[tuple[str, str, str]]:
    """Every code with its statuses and its meaning: refusals in alphabetical order, then faults."""
    meanings = {kind.code: meaning(kind) for kind in every_refusal()}
    refusals = sorted(meanings.items())
    faults = [(fault.code, fault.meaning) for fault in FAULTS.values()]
    return [(code, ", ".join(map(str, statuses(code))), text) for code, text in (*refusals, *faults)]
