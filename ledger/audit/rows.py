"""Rows against leaves: every column equals the field it was made from, every hash is what its bytes hash to.

This is the layer that needs nothing but the database (TRUST §11.1): a row changed, exchanged, inserted or cut shows
here unless the whole tree behind it was made anew as well. One column it cannot judge: `idempotency.command_hash` is
the digest of a command as it was sent, and the events do not hold that command, so nothing can make the digest again.
`check_rows` walks the log, or a range of it.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from domain.events import BODIES, decode_body
from domain.events.event import Body, Event, Fact
from domain.events.person import HandoverAccepted, HandoverOffered, HandoverRefused
from ledger.audit.canonical_form import has_canonical_form
from ledger.audit.findings import Check, Finding, Progress, quiet
from ledger.audit.keys import KeyRuns
from ledger.audit.record import UNREADABLE, bytes_in, event_in, event_of, instant_in
from ledger.store.leaf import LEAF_BYTES_MAX, Leaf, decode_leaf, text64
from ledger.store.log import EventLog, PositionMissing, Row
from ledger.store.merkle import Frontier, leaf_hash

PAGE: Final = 5_000
ROWS: Final = "rows"
WHOLE: Final = "L11"
SALT_BYTES: Final = 32

_RECORDED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_STREAM_KINDS = frozenset({"authority", "facility", "agreement", "person", "transfer", "invoice", "epoch"})

Each = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What the walk found: rows against leaves, the links between them, and the root of the tree over the leaves.

    `root` is base64 and speaks of the leaves walked: of the whole log only where the walk began at 1.
    """

    rows: Check
    whole: Check
    root: str


def check_rows(
    log: EventLog,
    *,
    first: int = 1,
    last: int | None = None,
    head: int | None = None,
    progress: Progress = quiet,
    each: Each | None = None,
) -> Walked:
    """Walk the positions `first` to `last`, both inclusive, by default up to `head`, which is the log's as it is now.

    What is recorded while it walks lies beyond `head` and is left alone. `each` is handed every event that can be read,
    in order, so that a whole audit decodes the log once.
    """
    head = log.head() if head is None else head
    walk = _Walk(log, first, head if last is None else min(last, head), head)
    after = first - 1
    while after < walk.last and (rows := log.scan(after, PAGE)):
        after = rows[-1].position
        for row in rows if after <= walk.last else [row for row in rows if row.position <= walk.last]:
            event = walk.take(row)
            if event is not None and each is not None:
                each(event)
        walk.keys.settle()
        progress(ROWS, min(after, walk.last), walk.last)
    walk.end()
    return Walked(rows=walk.rows, whole=walk.whole, root=text64(walk.frontier.root()))


@dataclass(slots=True)
class _Stream:
    """Where a stream has come to: version, leaf hash and position of its last event; whether its kind is known."""

    is_known: bool
    version: int = 0
    leaf_hash: str = ""
    position: int = 0


@dataclass(slots=True)
class _Clock:
    """Reads times of recording; events recorded together mostly bear the same one, and it is read once."""

    text: str = ""
    instant: datetime | None = None
    is_exact: bool = False
    """Whether the text read last is a time in UTC to the millisecond."""

    def read(self, text: str) -> datetime | None:
        """What `instant_in` finds."""
        if text != self.text:
            self.text, self.instant = text, instant_in(text)
            self.is_exact = self.instant is not None and _RECORDED.fullmatch(text) is not None
        return self.instant


@dataclass(slots=True)
class _Walk:
    """The walk over the rows, with what it must keep between them."""

    log: EventLog
    first: int
    last: int
    head: int
    rows: Check = field(
        default_factory=lambda: Check(code=ROWS, title="every row equals its leaf, every leaf its hash and its key")
    )
    whole: Check = field(
        default_factory=lambda: Check(
            code=WHOLE, title="the record is whole: positions, versions, links and times unbroken"
        )
    )
    frontier: Frontier = field(default_factory=Frontier)
    streams: dict[str, _Stream] = field(default_factory=dict)
    offers: dict[str, set[str]] = field(default_factory=dict)
    recorded_at: str = ""
    recorded_by: int = 0
    next: int = 0
    clock: _Clock = field(default_factory=_Clock)
    keys: KeyRuns = field(init=False)

    def __post_init__(self) -> None:
        self.next = self.first
        self.keys = KeyRuns(self.log, self.first, self.last, self.head, self.rows)
        if self.first > 1 and (before := self.log.scan(self.first - 2, 1)):
            self.recorded_at, self.recorded_by = _recorded_at(before[0]), before[0].position

    def take(self, row: Row) -> Event | None:
        """Judge one row; the event in it, unless it cannot be read."""
        if row.position != self.next:
            self._hole(row.position)
        self.next = row.position + 1
        self.rows.looked_at += 1
        self.whole.looked_at += 1
        stored, data = bytes_in(row.leaf_hash), bytes_in(row.leaf)
        self.frontier.append(stored or b"")
        if data is None:
            self._wrong(row, "leaf", "bytes", "text")
            return None
        digest = leaf_hash(data)
        hash64 = text64(digest)
        if stored != digest:
            self._wrong(row, "leaf hash", hash64, _shown(row.leaf_hash))
        if len(data) > LEAF_BYTES_MAX:
            self._wrong(row, "leaf", f"at most {LEAF_BYTES_MAX} bytes", len(data))
        if not has_canonical_form(data):
            self._wrong(row, "leaf", "canonical JSON", "other bytes")
        try:
            leaf = decode_leaf(data)
            body = decode_body(leaf.type, leaf.body)
        except UNREADABLE:
            self._wrong(row, "leaf", f"a leaf of one of {len(BODIES)} types", "something else")
            return None
        stream = self.streams.get(leaf.stream) or self._stream(leaf)
        self._columns(row, leaf)
        recorded_at = self._fields(row, leaf, body, stream)
        if isinstance(body, (HandoverOffered, HandoverAccepted, HandoverRefused)):
            self._answer(row, body, hash64)
        self._links(row, leaf, stream, hash64)
        self.keys.take(row.position, (leaf.actor.authority, leaf.command_id))
        return event_of(row, leaf, body, recorded_at)

    def end(self) -> None:
        """Judge what lies behind the last row."""
        self._hole(self.last + 1)
        self.keys.end()
        if self.last == self.head:
            self.rows.findings.extend(_leaves_beyond(self.log, self.head))

    def _hole(self, position: int) -> None:
        if self.next >= position:
            return
        until = f"{self.next} to {position - 1}" if position - 1 > self.next else f"{self.next}"
        self.whole.findings.append(
            Finding(
                law=WHOLE,
                subject="log",
                positions=(self.next,) if self.next == position - 1 else (self.next, position - 1),
                expected=f"an event at {until}",
                found="none",
            )
        )

    def _wrong(self, row: Row, name: str, expected: object, found: object) -> None:
        self.rows.findings.append(_wrong(row, name, expected, found))

    def _columns(self, row: Row, leaf: Leaf) -> None:
        """Every column that repeats a field of the leaf says the same."""
        said = (leaf.event_id, leaf.type, leaf.stream, leaf.stream_version)
        if said == (row.event_id, row.type, row.stream, row.stream_version):
            return
        if leaf.event_id != row.event_id:
            self._wrong(row, "column event_id", leaf.event_id, row.event_id)
        if leaf.type != row.type:
            self._wrong(row, "column topic", leaf.type, row.type)
        if leaf.stream != row.stream:
            self._wrong(row, "column originator_id", leaf.stream, row.stream)
        if leaf.stream_version != row.stream_version:
            self._wrong(row, "column originator_version", leaf.stream_version, row.stream_version)

    def _fields(self, row: Row, leaf: Leaf, body: Body, stream: _Stream) -> datetime | None:
        """Fields that decode and yet are not what TRUST §1 says of them; the time of recording, where it is one."""
        recorded_at = self.clock.read(leaf.recorded_at)
        if not self.clock.is_exact:
            self._wrong(row, "recorded_at", "UTC to the millisecond", leaf.recorded_at)
        if leaf.occurred_at.tzinfo is None:
            self._wrong(row, "occurred_at", "an offset", "none")
        if not _is_salt(leaf.salt):
            self._wrong(row, "salt", f"{SALT_BYTES} bytes in base64", "something else")
        if leaf.signatures:
            self._wrong(row, "signatures", "none, as no key is registered", len(leaf.signatures))
        if not stream.is_known:
            self._wrong(row, "stream", "a kind of stream", leaf.stream)
        if isinstance(body, Fact) and body.flags and list(body.flags) != sorted(set(body.flags)):
            self._wrong(row, "flags", "sorted, each once", " ".join(body.flags))
        return recorded_at

    def _links(self, row: Row, leaf: Leaf, stream: _Stream, digest: str) -> None:
        if leaf.stream_version != stream.version + 1 or leaf.prev != stream.leaf_hash:
            self._unlinked(row, leaf, stream)
        stream.version, stream.leaf_hash, stream.position = leaf.stream_version, digest, row.position
        if leaf.recorded_at < self.recorded_at:
            beside, expected = (self.recorded_by, row.position), f"not before {self.recorded_at}"
            self.whole.findings.append(_wrong(row, "recorded_at", expected, leaf.recorded_at, WHOLE, beside))
        else:
            self.recorded_at, self.recorded_by = leaf.recorded_at, row.position

    def _unlinked(self, row: Row, leaf: Leaf, stream: _Stream) -> None:
        beside = (stream.position, row.position) if stream.position else (row.position,)
        found = self.whole.findings
        if leaf.stream_version != stream.version + 1:
            found.append(_wrong(row, "stream_version", stream.version + 1, leaf.stream_version, WHOLE, beside))
        if leaf.prev != stream.leaf_hash:
            found.append(_wrong(row, "prev", stream.leaf_hash or "nothing", leaf.prev or "nothing", WHOLE, beside))

    def _answer(self, row: Row, body: HandoverOffered | HandoverAccepted | HandoverRefused, digest: str) -> None:
        """An answer names the leaf of an offer of its handover; which of several counted then is law L3's."""
        if isinstance(body, HandoverOffered):
            self.offers.setdefault(body.handover, set()).add(digest)
            return
        offers = self.offers.get(body.handover, set())
        if body.answers not in offers:
            self._wrong(row, "answers", " or ".join(sorted(offers)) or "an offer before it", body.answers)

    def _stream(self, leaf: Leaf) -> _Stream:
        """The state of a stream that is met first; one that began before the range is read up to this leaf."""
        stream = self.streams[leaf.stream] = _Stream(leaf.stream.partition(":")[0] in _STREAM_KINDS)
        if self.first > 1 and leaf.stream_version > 1:
            self._begin(leaf.stream, stream)
        return stream

    def _begin(self, name: str, stream: _Stream) -> None:
        try:
            rows = [row for row in self.log.read_stream(name) if row.position < self.first]
        except PositionMissing:
            return
        for row in rows:
            stream.version, stream.leaf_hash = row.stream_version, text64(row.leaf_hash)
            stream.position = row.position
            event = event_in(row) if row.type == HandoverOffered.wire else None
            if event is not None and isinstance(event.body, HandoverOffered):
                self.offers.setdefault(event.body.handover, set()).add(stream.leaf_hash)


def _leaves_beyond(log: EventLog, head: int) -> Iterator[Finding]:
    try:
        beyond = len(log.leaf_hashes(head, PAGE))
    except PositionMissing:
        beyond = 1
    if head + beyond > log.head():
        yield Finding(
            law=ROWS, subject="leaves", positions=(head + 1,), expected="an event for every leaf hash", found="none"
        )


def _wrong(
    row: Row, name: str, expected: object, found: object, law: str = ROWS, positions: tuple[int, ...] = ()
) -> Finding:
    return Finding(
        law=law,
        subject=f"{row.stream}#{row.stream_version} {name}",
        positions=positions or (row.position,),
        expected=str(expected),
        found=str(found),
    )


def _shown(digest: object) -> str:
    return text64(digest) if isinstance(digest, bytes) else "none" if digest is None else "text"


def _is_salt(text: str) -> bool:
    """Whether a text is the base64 of as many bytes as a salt has, and the only such text (TRUST §1.8)."""
    try:
        salt = binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        return False
    return len(salt) == SALT_BYTES and text64(salt) == text


def _recorded_at(row: Row) -> str:
    try:
        return decode_leaf(row.leaf).recorded_at
    except UNREADABLE:
        return ""
