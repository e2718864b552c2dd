"""Idempotency records against events: each command's events have the one record of their key, and no record lies.

The events of one command stand side by side under one authority and key. So the log, read in order, is a row of runs,
and the records must be exactly those runs: same key, same first position, same count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.audit.findings import Check, Finding
from ledger.audit.record import UNREADABLE
from ledger.store.leaf import decode_leaf
from ledger.store.log import EventLog, Remembered, Row

POSITION_MAX: Final = 2**62
"""Beyond every position a log will ever have, and still a number that both engines take."""

Key = tuple[str, str]


@dataclass(slots=True)
class _Run:
    key: Key
    first: int
    count: int


class KeyRuns:
    """The runs met so far; `settle` holds the complete ones against the records, `end` the rest."""

    def __init__(self, log: EventLog, first: int, last: int, head: int, check: Check) -> None:
        self._log = log
        self._first, self._last, self._head = first, last, head
        self._check = check
        self._settled = first - 1
        self._closed: list[_Run] = []
        self._open: _Run | None = None

    def take(self, position: int, key: Key) -> None:
        """One more event, in the order of positions."""
        run = self._open
        if run is not None and run.key == key and run.first + run.count == position:
            run.count += 1
            return
        if run is None and position == self._first:
            self._open = self._begun_before(position, key)
            return
        if run is not None:
            self._closed.append(run)
        self._open = _Run(key, position, 1)

    def settle(self) -> None:
        """Judge the records that begin before the run which is still open."""
        until = self._open.first - 1 if self._open is not None else self._settled
        if until > self._settled:
            self._judge(self._settled + 1, until)
            self._settled = until

    def end(self) -> None:
        """Judge everything that is left; records beyond the head speak of events that were cut off.

        Unless the log has grown since the audit began: the head is asked for after the records have been read.
        """
        if self._open is not None:
            self._extend(self._open)
            self._closed.append(self._open)
        lowest = -POSITION_MAX if self._settled == 0 else self._settled + 1
        self._judge(lowest, POSITION_MAX if self._last == self._head else self._last)

    def _judge(self, first: int, last: int) -> None:
        runs = {run.first: run for run in self._closed if run.first >= self._first}
        records = self._log.remembered_between(first, last)
        grown_to = self._log.head() if records and records[-1].first_position > self._head else self._head
        for record in records:
            if self._head < record.first_position <= record.first_position + record.count - 1 <= grown_to:
                continue
            run = runs.get(record.first_position)
            if run is not None and (run.key, run.count) == ((record.authority, record.key), record.count):
                del runs[run.first]
            else:
                self._check.findings.append(self._lie(record))
        for run in runs.values():
            self._check.findings.append(
                Finding(
                    law="rows",
                    subject=f"idempotency record of {run.key[0]} under {run.key[1]}",
                    positions=(run.first,),
                    expected=f"{run.count} events from {run.first} on",
                    found="no such record",
                )
            )
        self._closed = []

    def _lie(self, record: Remembered) -> Finding:
        named = f"{record.count} events of its authority and key from {record.first_position} on"
        beyond = record.first_position > self._head
        return Finding(
            law="rows",
            subject=f"idempotency record of {record.authority} under {record.key}",
            positions=(record.first_position,),
            expected=named,
            found=f"the log ends at {self._head}" if beyond else "others, or another number",
        )

    def _begun_before(self, position: int, key: Key) -> _Run:
        """The run of the first event of a range, which may have begun before it."""
        run = _Run(key, position, 1)
        while run.first > 1 and _key_at(self._log, run.first - 1) == key:
            run.first, run.count = run.first - 1, run.count + 1
        if run.first < position:
            record = self._log.remembered({key}).get(key)
            if record is None or not record.first_position <= position < record.first_position + record.count:
                self._check.findings.append(
                    Finding(
                        law="rows",
                        subject=f"idempotency record of {key[0]} under {key[1]}",
                        positions=(position,),
                        expected=f"one that covers {position}",
                        found="none, or another",
                    )
                )
        return run

    def _extend(self, run: _Run) -> None:
        while run.first + run.count <= self._head and _key_at(self._log, run.first + run.count) == run.key:
            run.count += 1


def _key_at(log: EventLog, position: int) -> Key | None:
    rows: list[Row] = log.scan(position - 1, 1)
    try:
        leaf = decode_leaf(rows[0].leaf) if rows and rows[0].position == position else None
    except UNREADABLE:
        return None
    return (leaf.actor.authority, leaf.command_id) if leaf is not None else None
