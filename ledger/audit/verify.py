"""Verify: every check of an audit, by name, and what they amount to.

The layers are those of TRUST §11.1, then the laws of custody and money. What this ledger does not keep is listed as
not kept and counts neither way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final

from ledger.audit.findings import Check, Finding, Progress, quiet
from ledger.audit.laws.table import Judged, check_laws, judge
from ledger.audit.record import Record, read_record
from ledger.audit.rows import check_rows
from ledger.audit.shares import helped, helpers_worth, judge_share, rounds, shares
from ledger.audit.views import Asked, ask
from ledger.store.log import EventLog
from projections import Views
from projections.engine.collecting import uncollected

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
    url: str | None = None,
) -> list[Check]:
    """All checks over the log as it is now; with `views`, law L9 also asks what they have stored.

    A range, `first` to `last`, is held against leaves and links alone: the laws speak of the whole record. With `url`,
    where other processes can open the log, they help with a long one.
    """
    head = log.head()
    if first > 1 or (last is not None and last < head):
        walked = check_rows(log, first=first, last=last, head=head, progress=progress)
        return [walked.rows, walked.whole]
    with uncollected():
        return _whole(log, head, views, progress, url)


def _whole(log: EventLog, head: int, views: Views | None, progress: Progress, url: str | None) -> list[Check]:
    asked = ask(views, log, head) if views is not None else None
    own, *theirs = shares(helpers_worth(url, head))
    with helped(url or "", head, asked, theirs) as helpers:
        begun, *more = rounds(own, head)
        record = Record(begun)
        walked = check_rows(log, head=head, progress=progress, each=record.take)
        store = check_store(log)
        judged = [judge(record, asked, progress)]
        del record
        for share in more:
            judged += judge_share(log, head, share, asked, progress)
        for helper in helpers:
            judged += helper.judged() or judge_share(log, head, helper.share, asked, progress)
    if len(judged) > 1 and any(one.on_days for one in judged):
        # The figures of a place are sums over everybody: what is wrong with them is told of all its people together.
        judged = [judge(read_record(log, to=head, progress=progress), asked, progress)]
    walked.rows.note = f"the tree over {walked.rows.looked_at} leaves has the root {walked.root}"
    laws = {check.code: check for check in check_laws(judged)}
    laws["L11"].findings[:0] = walked.whole.findings
    laws["L11"].looked_at, laws["L11"].title = walked.whole.looked_at, walked.whole.title
    if views is None:
        laws["L9"].note = "the views were not asked"
    elif asked is not None:
        laws["L9"].findings.extend(_answers(judged, asked))
    return [store, walked.rows, *not_kept(), *laws.values()]


def _answers(judged: Sequence[Judged], asked: Asked) -> Iterator[Finding]:
    """What the views answer otherwise: about each person, then the roll of each place."""
    about = sorted((found for one in judged for found in one.answered), key=itemgetter(0))
    yield from (finding for _, finding in about)
    for place in sorted(set().union(*(one.rolls for one in judged))):
        yield from asked.roll(place, [person for one in judged for person in one.rolls.get(place, ())])


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
