"""Other processes that help with a long audit: each reads the log for itself and judges a share of the people.

A helper is a plain run of this module: told its `Task` on standard input, it answers with what it found on standard
output. It opens the log beside the writer and changes nothing. Whatever a helper does not answer, for whatever reason,
the audit finds out itself: help makes it sooner, never another one.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Final

import msgspec

from ledger.audit.findings import Progress, quiet
from ledger.audit.laws.table import Judged, judge
from ledger.audit.record import PARTS, Share, read_record
from ledger.audit.views import Asked
from ledger.log_events import LogEvents
from ledger.store import EventLog, open_log
from projections import open_views

HELPERS_MAX: Final = 3
EVENTS_WORTH_HELP: Final = 15_000
"""Below this a log is audited sooner than another process has started."""
EVENTS_AT_ONCE: Final = 400_000
"""How many events a process holds at once; where its share has more, it reads the log again for the rest of them."""

# What one event costs, in microseconds: its row against its leaf; its person's laws; reading it once more in a helper.
ROW_COST: Final = 16
LAW_COST: Final = 27
PASS_COST: Final = 7


class Task(msgspec.Struct, kw_only=True):
    """What a helper is to do: judge a share of the log up to `head`; the views are asked as `Asked` says, if at all."""

    url: str
    head: int
    share: Share
    asked_to: int | None = None
    asked_now: datetime | None = None


class Helper:
    """One helping process, started at once; `judged` waits for what it found."""

    def __init__(self, task: Task) -> None:
        self.share: Final = task.share
        # The task goes by a pipe, as the address may hold a password. Who interrupts the audit at a terminal interrupts
        # it alone, and it stops its helpers.
        self._process = subprocess.Popen(  # noqa: S603  # this interpreter and this module
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.msgpack.encode(task))
            self._process.stdin.close()
        except BrokenPipeError:
            # It ended before it heard its task; `judged` will find that it has no answer.
            pass

    def judged(self) -> list[Judged] | None:
        """What it found, `None` if it did not come to an end."""
        assert self._process.stdout is not None
        answer = self._process.stdout.read()
        if self._process.wait() != 0:
            return None
        return msgspec.msgpack.decode(answer, type=list[Judged])

    def stop(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def shares(helpers: int) -> list[Share]:
    """The people shared out: the first share is for the process that also looks at the rows."""
    whole = ROW_COST + LAW_COST + PASS_COST * helpers
    own = max(1, round(PARTS * (whole / (helpers + 1) - ROW_COST) / LAW_COST)) if helpers else PARTS
    ends = [own + (PARTS - own) * index // helpers for index in range(1, helpers + 1)]
    return [Share(first, end) for first, end in zip([0, own, *ends], [own, *ends], strict=False)]


def helpers_worth(url: str | None, head: int) -> int:
    """How many helpers an audit should have: none for a short log, or for one that no other process can open."""
    if url is None or url.endswith(":memory:") or head < EVENTS_WORTH_HELP:
        return 0
    return min((os.cpu_count() or 1) - 1, HELPERS_MAX)


@contextmanager
def helped(url: str, head: int, asked: Asked | None, theirs: Sequence[Share]) -> Iterator[list[Helper]]:
    """A helper for each share, stopped at the end."""
    running: list[Helper] = []
    try:
        for share in theirs:
            task = Task(
                url=url,
                head=head,
                share=share,
                asked_to=asked.position if asked is not None else None,
                asked_now=asked.now if asked is not None else None,
            )
            running.append(Helper(task))
        yield running
    finally:
        for helper in running:
            helper.stop()


def rounds(share: Share, head: int) -> list[Share]:
    """A share in as many rounds as it takes to hold no more than `EVENTS_AT_ONCE` events in each."""
    parts = max(1, PARTS * EVENTS_AT_ONCE // max(head, 1))
    return [Share(first, min(first + parts, share.end)) for first in range(share.first, share.end, parts)]


def judge_share(
    log: EventLog, head: int, share: Share, asked: Asked | None = None, progress: Progress = quiet
) -> list[Judged]:
    """Read the log up to `head` and judge the people of a share, round by round."""
    return [
        judge(read_record(log, to=head, share=one, progress=progress), asked, progress) for one in rounds(share, head)
    ]


def perform(task: Task) -> list[Judged]:
    """What a helper does."""
    with closing(open_log(task.url, exclusive=False)) as log:
        if task.asked_to is None or task.asked_now is None:
            return judge_share(log, task.head, task.share)
        with closing(open_views(task.url, LogEvents(log))) as views:
            asked = Asked(views=views, position=task.asked_to, now=task.asked_now)
            return judge_share(log, task.head, task.share, asked)


def main() -> None:
    """Hear the task, answer it, end."""
    gc.disable()
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.msgpack.encode(perform(task)))


if __name__ == "__main__":
    main()
