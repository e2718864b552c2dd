"""Rows against leaves: every column equals the field it was made from, every hash is what its bytes hash to.

This is the layer that needs nothing but the database (TRUST §11.1): a row changed, exchanged, inserted or cut shows
here unless the whole tree behind it was made anew as well. One column it cannot judge: `idempotency.command_hash` is
the digest of a command as it was sent, and the events do not hold that command, so nothing can make the digest again.
`check_rows` walks the log, or a range of it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from domain.canonical import is_canonical
from domain.events import BODIES, decode_body
from domain.events.event import Body, Fact
from domain.events.person import HandoverAccepted, HandoverOffered, HandoverRefused
from ledger.audit.findings import Check, Finding, Progress, quiet
from ledger.audit.keys import KeyRuns
from ledger.store.leaf import LEAF_BYTES_MAX, Leaf, decode_leaf, text64
from ledger.store.log import EventLog, PositionMissing, Row
from ledger.store.merkle import Frontier, leaf_hash

PAGE: Final = 5_000
ROWS: Final = "rows"
WHOLE: Final = "L11"
SALT_BYTES: Final = 32

_RECORDED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_STREAM_KINDS = frozenset({"authority", "facility", "agreement", "person", "transfer", "invoice", "epoch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What the walk found: rows against leaves, the links between them, and the root of the tree over the leaves.

    `root` is base64 and speaks of the leaves walked: of the whole log only where the walk began at 1.
    """

    rows: Check
    whole: Check
    root: str


def check_rows(log: EventLog, *, first: int = 1, last: int | None = None, progress: Progress = quiet) -> Walked:
    """Walk the positions `first` to `last`, both inclusive, by default all there are now."""
    head = log.head()
    walk = _Walk(log, first, head if last is None else min(last, head), head)
    after = first - 1
    while after < walk.last and (rows := log.scan(after, PAGE)):
        for row in rows:
            if row.position <= walk.last:
                walk.take(row)
        after = rows[-1].position
        walk.keys.settle()
        progress(ROWS, min(after, walk.last), walk.last)
    walk.end()
    return Walked(rows=walk.rows, whole=walk.whole, root=text64(walk.frontier.root()))


@dataclass(slots=True)
class _Stream:
    """Where a stream has come to: version, leaf hash and position of its last event."""

    version: int = 0
    leaf_hash: str = ""
    position: int = 0


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
    keys: KeyRuns = field(init=False)

    def __post_init__(self) -> None:
        self.next = self.first
        self.keys = KeyRuns(self.log, self.first, self.last, self.head, self.rows)
        if self.first > 1 and (before := self.log.scan(self.first - 2, 1)):
            self.recorded_at, self.recorded_by = _recorded_at(before[0]), before[0].position

    def take(self, row: Row) -> None:
        """Judge one row."""
        self._hole(row.position)
        self.next = row.position + 1
        self.rows.look(self._row(row))
        self.whole.looked_at += 1
        self.frontier.append(row.leaf_hash if _is_bytes(row.leaf_hash) else b"")

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

    def _row(self, row: Row) -> Iterator[Finding]:
        if not _is_bytes(row.leaf):
            yield _wrong(row, "leaf", "bytes", "text")
            return
        digest = leaf_hash(row.leaf)
        if row.leaf_hash != digest:
            yield _wrong(row, "leaf hash", text64(digest), _shown(row.leaf_hash))
        if len(row.leaf) > LEAF_BYTES_MAX:
            yield _wrong(row, "leaf", f"at most {LEAF_BYTES_MAX} bytes", len(row.leaf))
        if not is_canonical(row.leaf):
            yield _wrong(row, "leaf", "canonical JSON", "other bytes")
        try:
            leaf = decode_leaf(row.leaf)
            body = decode_body(leaf.type, leaf.body)
        except (msgspec.DecodeError, KeyError, UnicodeDecodeError):
            yield _wrong(row, "leaf", f"a leaf of one of {len(BODIES)} types", "something else")
            return
        columns = (
            ("event_id", leaf.event_id, row.event_id),
            ("topic", leaf.type, row.type),
            ("originator_id", leaf.stream, row.stream),
            ("originator_version", leaf.stream_version, row.stream_version),
        )
        yield from (_wrong(row, f"column {name}", want, is_) for name, want, is_ in columns if want != is_)
        yield from (_wrong(row, name, want, is_) for name, want, is_ in _malformed(leaf, body))
        yield from self._answer(row, leaf, body)
        self.whole.findings.extend(self._links(row, leaf, text64(digest)))
        self.keys.take(row.position, (leaf.actor.authority, leaf.command_id))

    def _links(self, row: Row, leaf: Leaf, digest: str) -> Iterator[Finding]:
        stream = self._stream(leaf)
        beside = (stream.position, row.position) if stream.position else (row.position,)
        if leaf.stream_version != stream.version + 1:
            yield _wrong(row, "stream_version", stream.version + 1, leaf.stream_version, WHOLE, beside)
        if leaf.prev != stream.leaf_hash:
            yield _wrong(row, "prev", stream.leaf_hash or "nothing", leaf.prev or "nothing", WHOLE, beside)
        stream.version, stream.leaf_hash, stream.position = leaf.stream_version, digest, row.position
        if leaf.recorded_at < self.recorded_at:
            beside = (self.recorded_by, row.position)
            yield _wrong(row, "recorded_at", f"not before {self.recorded_at}", leaf.recorded_at, WHOLE, beside)
        if leaf.recorded_at >= self.recorded_at:
            self.recorded_at, self.recorded_by = leaf.recorded_at, row.position

    def _answer(self, row: Row, leaf: Leaf, body: Body) -> Iterator[Finding]:
        """An answer names the leaf of an offer of its handover; which of several counted then is law L3's."""
        self._stream(leaf)
        if isinstance(body, HandoverOffered):
            self.offers.setdefault(body.handover, set()).add(text64(leaf_hash(row.leaf)))
        elif isinstance(body, (HandoverAccepted, HandoverRefused)):
            offers = self.offers.get(body.handover, set())
            if body.answers not in offers:
                yield _wrong(row, "answers", " or ".join(sorted(offers)) or "an offer before it", body.answers)

    def _stream(self, leaf: Leaf) -> _Stream:
        """The stream's state before this leaf; one that began before the range is read up to it once."""
        if leaf.stream not in self.streams:
            stream = self.streams[leaf.stream] = _Stream()
            if self.first > 1 and leaf.stream_version > 1:
                self._begin(leaf.stream, stream)
        return self.streams[leaf.stream]

    def _begin(self, name: str, stream: _Stream) -> None:
        try:
            rows = [row for row in self.log.read_stream(name) if row.position < self.first]
        except PositionMissing:
            return
        for row in rows:
            stream.version, stream.leaf_hash = row.stream_version, text64(row.leaf_hash)
            stream.position = row.position
            if row.type == HandoverOffered.wire:
                offer = decode_body(row.type, decode_leaf(row.leaf).body)
                assert isinstance(offer, HandoverOffered)
                self.offers.setdefault(offer.handover, set()).add(stream.leaf_hash)


def _malformed(leaf: Leaf, body: Body) -> Iterator[tuple[str, object, object]]:
    """Fields that decode and yet are not what TRUST §1 says of them."""
    if not _RECORDED.fullmatch(leaf.recorded_at) or not _is_time(leaf.recorded_at):
        yield "recorded_at", "UTC to the millisecond", leaf.recorded_at
    if leaf.occurred_at.tzinfo is None:
        yield "occurred_at", "an offset", "none"
    if len(_bytes64(leaf.salt)) != SALT_BYTES:
        yield "salt", f"{SALT_BYTES} bytes in base64", "something else"
    if leaf.signatures:
        yield "signatures", "none, as no key is registered", len(leaf.signatures)
    if leaf.stream.partition(":")[0] not in _STREAM_KINDS:
        yield "stream", "a kind of stream", leaf.stream
    if isinstance(body, Fact) and list(body.flags) != sorted(set(body.flags)):
        yield "flags", "sorted, each once", " ".join(body.flags)


def _leaves_beyond(log: EventLog, head: int) -> Iterator[Finding]:
    try:
        beyond = len(log.leaf_hashes(head, PAGE))
    except PositionMissing:
        beyond = 1
    if beyond:
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


def _is_bytes(value: object) -> bool:
    """Whether a column holds what its type says; a row that was scanned may hold anything."""
    return isinstance(value, bytes)


def _shown(digest: object) -> str:
    return text64(digest) if isinstance(digest, bytes) else "none" if digest is None else "text"


def _bytes64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if text64(data) == text else b""


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _recorded_at(row: Row) -> str:
    try:
        return decode_leaf(row.leaf).recorded_at
    except msgspec.DecodeError:
        return ""
