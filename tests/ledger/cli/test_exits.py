"""Exit codes and error texts: every failure the house knows says what happened, and most what to do next."""

from __future__ import annotations

import pytest

from domain.refusals import PersonIsUnknown
from ledger.cli.exits import CommandFailed, ExitCode, failure_of, usage
from ledger.cli.values import filters_of, instant, known_at
from ledger.genesis import LedgerExists
from ledger.service import LedgerIsEmpty
from ledger.settings import StartRefused
from ledger.store import (
    AddressIsUnknown,
    AlreadyServed,
    DatabaseUnreachable,
    LogIsMissing,
    PositionMissing,
    SchemaIsUnknown,
)
from ledger.writer.writer import LedgerIsBusy
from projections import RebuildFailed, RebuildIsRunning, ViewIsBehind, ViewIsUnknown, ViewsUnreachable

FAILURES: dict[str, tuple[Exception, int, str]] = {
    "a wrong call": (usage("no"), 2, "no"),
    "no such engine": (AddressIsUnknown(), 2, "postgresql://"),
    "no such view": (ViewIsUnknown("maps"), 2, "maps"),
    "the log has a hole": (PositionMissing(7), 3, "position 7"),
    "a view can't be made anew": (RebuildFailed("roll", 7, 7, "KeyError"), 3, "roll"),
    "a view is behind": (ViewIsBehind("roll", 3, 9, stopped=False), 4, "position 3"),
    "a view has stopped": (ViewIsBehind("roll", 3, 9, stopped=True), 4, "stopped"),
    "there is no ledger": (LogIsMissing("x.db"), 5, "x.db"),
    "the ledger is empty": (LedgerIsEmpty(), 5, "empty"),
    "the database is gone": (DatabaseUnreachable("gone", "cut off"), 5, "gone"),
    "the database is locked": (DatabaseUnreachable("locked", "2 seconds"), 5, "locked"),
    "the database is full": (DatabaseUnreachable("full", "no room"), 5, "full"),
    "the views' database is gone": (ViewsUnreachable("gone", "cut off"), 5, "gone"),
    "another process serves it": (AlreadyServed("x.db", "123"), 5, "another process"),
    "another version made it": (SchemaIsUnknown(9, 1), 5, "version 9"),
    "others were always first": (LedgerIsBusy(), 5, "busy"),
    "there is a ledger already": (LedgerExists(), 6, "already"),
    "somebody rebuilds": (RebuildIsRunning(), 6, "rebuild"),
    "it may not start": (StartRefused("auth"), 6, "refused to start"),
    "the domain says no": (PersonIsUnknown("p-1"), 6, "person-is-unknown"),
    "nobody expected it": (RuntimeError("a value of somebody"), 1, "RuntimeError"),
}


@pytest.mark.parametrize(("error", "code", "what"), FAILURES.values(), ids=FAILURES)
def test_each_exception_has_its_code_and_says_what_and_what_next(error: Exception, code: int, what: str) -> None:
    failure = failure_of(error)
    assert failure.exit_code == code
    assert what in failure.what
    assert failure.next or failure.why or code == ExitCode.USAGE


def test_what_nobody_expected_is_told_by_its_place_and_not_by_its_message() -> None:
    try:
        raise RuntimeError("a value of somebody")
    except RuntimeError as error:
        failure = failure_of(error)
    assert "test_exits.py" in (failure.why or "")
    assert "somebody" not in f"{failure.what} {failure.why} {failure.next}"


def test_a_time_without_offset_is_a_wrong_call() -> None:
    with pytest.raises(CommandFailed) as caught:
        instant("--as-of", "2025-03-01T10:00:00")
    assert caught.value.failure.exit_code == ExitCode.USAGE
    assert caught.value.failure.why == "it has no offset from UTC"


def test_known_at_is_a_position_or_a_time() -> None:
    assert known_at("--known-at", "24") == 24
    assert known_at("--known-at", "2025-03-01T10:00:00+01:00") == instant("", "2025-03-01T09:00:00Z")


def test_filters_are_told_when_one_is_unknown() -> None:
    known = {"facility": lambda _flag, text: text}
    assert filters_of("roll", known, ["--facility=f1"]) == filters_of("roll", known, ["--facility", "f1"])
    for given in (["--place", "f1"], ["f1"], ["--facility"], ["--facility", "a", "--facility", "b"]):
        with pytest.raises(CommandFailed) as caught:
            filters_of("roll", known, given)
        assert caught.value.failure.exit_code == ExitCode.USAGE
    with pytest.raises(CommandFailed) as caught:
        filters_of("roll", known, ["--place", "f1"])
    assert "--facility" in (caught.value.failure.next or "")
