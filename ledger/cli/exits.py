"""How a command ends: one table from what went wrong to an exit code, and to what a person needs to go on.

A `Failure` says what happened, why, and the next command to run. `failure_of` turns every exception into one.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of `custody` (API §4)."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_VERIFIED = 3
    BEHIND = 4
    UNREACHABLE = 5
    REFUSED = 6
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a command did not do what it was asked. `next` is a command to run, or what to do before one."""

    exit_code: ExitCode
    what: str
    why: str | None = None
    next: str | None = None


class CommandFailed(Exception):
    """A command cannot go on, for a reason it knows itself."""

    def __init__(self, exit_code: ExitCode, what: str, *, why: str | None = None, next_: str | None = None) -> None:
        super().__init__(what)
        self.failure = Failure(exit_code=exit_code, what=what, why=why, next=next_)


def usage(what: str, *, why: str | None = None, next_: str | None = None) -> CommandFailed:
    """The failure of a command that was called wrongly."""
    return CommandFailed(ExitCode.USAGE, what, why=why, next_=next_)


INIT = "custody db init --origin HOST/custody/EPOCH --registrar ID --state CODE --officer ID"


def failure_of(error: Exception) -> Failure:
    """The failure that an exception amounts to; what nobody expected is `UNEXPECTED`."""
    if isinstance(error, CommandFailed):
        return error.failure
    for known in (_of_settings, _of_the_log, _of_the_views, _of_the_domain):
        failure = known(error)
        if failure is not None:
            return failure
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    # The message may quote what a file or a row holds, so the places alone are told.
    return Failure(
        exit_code=ExitCode.UNEXPECTED,
        what=f"this should not have happened: {type(error).__name__}",
        why="it was raised in\n    " + "\n    ".join(frames),
        next="custody audit verify, which says whether the record is whole",
    )


def _of_settings(error: Exception) -> Failure | None:
    from pydantic import ValidationError

    from ledger.settings import PREFIX, Settings, StartRefused
    from ledger.store.opening import AddressIsUnknown

    if isinstance(error, StartRefused):
        return Failure(
            exit_code=ExitCode.REFUSED, what="refused to start", why=str(error), next="unset CUSTODY_ENVIRONMENT"
        )
    if isinstance(error, AddressIsUnknown):
        return Failure(
            exit_code=ExitCode.USAGE,
            what=str(error),
            next="custody … --database-url sqlite:///custody.db, or set CUSTODY_DATABASE_URL",
        )
    if isinstance(error, ValidationError) and error.title == Settings.__name__:
        # The value may be a secret; the setting's name and what is wrong are enough.
        told = [
            f"{PREFIX}{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        return Failure(
            exit_code=ExitCode.USAGE,
            what="a setting is wrong",
            why="; ".join(told),
            next="correct the variable, or give its flag; custody serve --help names them",
        )
    return None


_DRIVERS_OWN = ("OperationalError", "DatabaseError")
"""What a driver raises that the store has no reason for, or that comes from the table of imports (PEP 249)."""


def _of_the_log(error: Exception) -> Failure | None:
    from ledger.genesis import LedgerExists
    from ledger.service import LedgerIsEmpty
    from ledger.store import log
    from ledger.writer.writer import LedgerIsBusy, LedgerIsClosed

    unreachable, refused = ExitCode.UNREACHABLE, ExitCode.REFUSED
    if isinstance(error, log.LogIsMissing):
        return Failure(exit_code=unreachable, what=f"there is no ledger in {error.address}", next=INIT)
    if isinstance(error, LedgerIsEmpty):
        return Failure(exit_code=unreachable, what="the ledger is empty", why="nothing was recorded yet", next=INIT)
    if isinstance(error, LedgerExists):
        return Failure(
            exit_code=refused, what="there is a ledger already", why="a log is opened once", next="custody db info"
        )
    if isinstance(error, log.DatabaseUnreachable):
        return _unreachable("the database", error.reason, error.detail)
    if isinstance(error, log.AlreadyServed):
        return Failure(
            exit_code=unreachable,
            what="the ledger is in use by another process",
            why=str(error),
            next=f"stop process {error.holder or 'that holds it'}, then run this again",
        )
    if isinstance(error, log.SchemaIsUnknown):
        return Failure(
            exit_code=unreachable, what=str(error), next="run the version of custody that made it: custody version"
        )
    if isinstance(error, log.PositionMissing):
        return Failure(exit_code=ExitCode.NOT_VERIFIED, what=str(error), next="custody audit verify")
    if type(error).__name__ in _DRIVERS_OWN:
        return Failure(
            exit_code=unreachable,
            what="the database can't be used",
            why=str(error).strip(),
            next="see that it is a ledger's, is there and has room, then run this again",
        )
    if isinstance(error, LedgerIsBusy | LedgerIsClosed):
        return Failure(
            exit_code=unreachable,
            what="the ledger is busy",
            why="other processes were always first; nothing more is recorded",
            next="run this again: what is recorded is not recorded twice",
        )
    return None


def _of_the_views(error: Exception) -> Failure | None:
    import projections

    status = "custody projections status"
    if isinstance(error, projections.ViewIsBehind):
        next_ = f"custody projections rebuild {error.view}" if error.stopped else status
        return Failure(exit_code=ExitCode.BEHIND, what=str(error), next=next_)
    if isinstance(error, projections.ViewIsUnknown):
        return Failure(exit_code=ExitCode.USAGE, what=str(error), next=f"{status}, which lists them")
    if isinstance(error, projections.ViewsUnreachable):
        return _unreachable("the views' database", error.reason, error.detail)
    if isinstance(error, projections.RebuildIsRunning):
        return Failure(exit_code=ExitCode.REFUSED, what=str(error), next=status)
    if isinstance(error, projections.EventIsNotParked):
        return Failure(exit_code=ExitCode.USAGE, what=str(error), next=f"{status} {error.view}")
    if isinstance(error, projections.RebuildFailed):
        next_ = f"custody audit show {error.first}, then projections skip {error.view} --position {error.first}"
        return Failure(exit_code=ExitCode.NOT_VERIFIED, what=str(error), next=next_)
    return None


def _of_the_domain(error: Exception) -> Failure | None:
    import inspect

    from domain.refusals import Refusal

    if not isinstance(error, Refusal):
        return None
    told = " ".join((inspect.getdoc(type(error)) or "").split())
    return Failure(exit_code=ExitCode.REFUSED, what=error.code, why=f"{told} {told_data(error.data())}".strip())


def told_data(data: Mapping[str, object]) -> str:
    """A refusal's data as a person reads it."""
    return ", ".join(f"{name}: {value}" for name, value in data.items() if value not in (None, (), ""))


def _unreachable(what: str, reason: str, detail: str) -> Failure:
    next_ = {
        "locked": "wait a moment and run this again",
        "full": "make room on its disk, then run this again",
        "gone": "see that it is there and may be reached, then custody db check",
    }[reason]
    return Failure(exit_code=ExitCode.UNREACHABLE, what=f"{what} is {reason}", why=detail, next=next_)
