"""Verify: every check of an audit, by name, and what they amount to.

The layers are those of TRUST §11.1, then the laws of custody and money. What this ledger does not keep is listed as
not kept and counts neither way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.audit.findings import Check, Finding, Progress, quiet
from ledger.audit.laws.table import check_laws
from ledger.audit.record import read_record
from ledger.audit.rows import check_rows
from ledger.audit.views import answers_agree
from ledger.store.log import EventLog
from projections import Views

CLEAN: Final = 0
BROKEN: Final = 3
"""The exit codes of `custody audit verify` (API §4)."""


def verify(
    log: EventLog,
    *,
    views: Views | None = None,
    first: int = 1,
    last: int | None = None,
    progress: Progress = quiet,
) -> list[Check]:
    """All checks over the log as it is now; with `views`, law L9 also asks what they have stored.

    A range, `first` to `last`, is held against leaves and links alone: the laws speak of the whole record.
    """
    head = log.head()
    walked = check_rows(log, first=first, last=last, progress=progress)
    if first > 1 or (last is not None and last < head):
        return [walked.rows, walked.whole]
    walked.rows.note = f"the tree over {walked.rows.looked_at} leaves has the root {walked.root}"
    record = read_record(log, to=head, progress=progress)
    laws = {check.code: check for check in check_laws(record, progress)}
    laws["L11"].findings[:0] = walked.whole.findings
    laws["L11"].looked_at, laws["L11"].title = walked.whole.looked_at, walked.whole.title
    if views is None:
        laws["L9"].note = "the views were not asked"
    else:
        laws["L9"].findings.extend(answers_agree(record, views, progress))
    return [check_store(log), walked.rows, *not_kept(), *laws.values()]


def exit_code(checks: Iterable[Check]) -> int:
    """0 where every check holds, 3 where one does not; what is open or not kept does not count."""
    return CLEAN if all(check.holds for check in checks) else BROKEN


def check_store(log: EventLog) -> Check:
    """The tables and fences as the log's own inspection finds them."""
    found = log.check()
    check = Check(code="store", title="the tables are whole and their fences stand", looked_at=found.events)
    check.findings.extend(
        Finding(law="store", subject=found.engine, expected="a sound log", found=problem) for problem in found.problems
    )
    return check


def not_kept() -> list[Check]:
    """The layers of TRUST §11.1 that need a log key, or something outside: there is neither yet."""
    return [
        Check(code="checkpoints", title="the tree is that of every checkpoint the ledger has signed", kept=False),
        Check(code="outside", title="checkpoints and receipts kept elsewhere say the same", kept=False),
    ]
