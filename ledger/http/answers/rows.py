"""Rows of the views of custody and of the record, and the pages of lists, as they are answered.

The views make these rows themselves; here is what they look like, for the document and for the tests that hold
every answer against it. Instants are UTC, `…Z`; `ref` and the like are positions.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

import msgspec

from ledger.http.answers.entities import Agreement, Authority, Cell, Facility, Handover, Shape, Transfer

Json = dict[str, Any]
"""An object whose members are told elsewhere: a body as recorded, by its type."""


class PersonRow(Shape, frozen=True, kw_only=True):
    """One person in the register."""

    person: str
    status: str
    file: Literal["open", "closed"]
    custodian: str | None
    responsible: str | None
    at: str
    agreement: str | None
    flags: tuple[str, ...]
    ref: int


class Unaccounted(Shape, frozen=True, kw_only=True):
    """Why the register may not know where a person is, and since when."""

    cause: str
    since: datetime


class OpenOffer(Shape, frozen=True, kw_only=True):
    """A handover that waits for its answer."""

    handover: str
    transfer: str
    to: str
    facility: str
    offered_at: datetime
    ref: int


class Custody(Shape, frozen=True, kw_only=True):
    """Who holds a person, where, since when, on what ground, and how sure that is."""

    person: str
    status: Cell
    responsible: Cell
    custodian: Cell
    at: Cell
    basis: str | None
    lawful_until: date | None
    confidence: Literal["confirmed", "one-sided", "contradicted", "unaccounted"]
    unaccounted: Unaccounted | None
    offer: OpenOffer | None
    file: Literal["open", "closed"]
    as_of: datetime
    position: int


class TimelineRow(Shape, frozen=True, kw_only=True):
    """A stretch of time in one state, or a named gap."""

    from_: datetime
    to: datetime | None
    kind: Literal["spell", "gap"]
    name: str | None
    status: str | None
    responsible: str | None
    custodian: str | None
    at: str | None
    midnights: int | None
    opened_by: int
    ended_by: int | None
    flags: tuple[str, ...]


class RollRow(Shape, frozen=True, kw_only=True):
    """One person in a place at an instant."""

    person: str
    since: datetime
    place_kept: bool
    custodian: str | None
    basis: str | None
    due: date | None
    confidence: str
    agreement: str | None
    ref: int


class Override(Shape, frozen=True, kw_only=True):
    """Two officers let the place hold more than its certificate says."""

    position: int
    approved_by: tuple[str, ...]


class OccupancyRow(Shape, frozen=True, kw_only=True):
    """One local day of a place: start + in - out = end = present + absent + unaccounted."""

    date: date
    start: int
    in_: int = msgspec.field(name="in")
    out: int
    end: int
    present: int
    absent: int
    unaccounted: int
    any_part: int
    reported: int
    allocated: int
    reserved: int
    capacity: int | None
    free: int | None
    over_by: int | None
    overrides: tuple[Override, ...]


class AuditRow(Shape, frozen=True, kw_only=True):
    """One event as a sentence: what happened, who said so, when it was written."""

    position: int
    event_id: str
    type: str
    stream: str
    stream_version: int
    occurred_at: datetime
    recorded_at: datetime
    authority: str
    officer: str
    credential: str
    sentence: str
    flags: tuple[str, ...]
    corrected_by: int | None
    person: str | None
    transfer: str | None
    agreement: str | None
    leaf_hash: str


class LogEvent(Shape, frozen=True, kw_only=True):
    """One event as stored: the fields of the leaf, the position, the RFC 9162 leaf hash in base64."""

    position: int
    leaf_hash: str
    actor: dict[str, str]
    body: Json
    command_id: str
    correlation_id: str
    event_id: str
    occurred_at: datetime
    prev: str
    recorded_at: datetime
    salt: str
    signatures: tuple[Any, ...]
    stream: str
    stream_version: int
    type: str


class CloudEvent(Shape, frozen=True, kw_only=True):
    """One event in an envelope of CloudEvents 1.0; `source` is the origin of the log, `data` the event as stored."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"]
    position: int
    streamversion: int
    leafhash: str
    correlationid: str
    data: LogEvent


class People(Shape, frozen=True, kw_only=True):
    """A page of people."""

    items: tuple[PersonRow, ...]
    next: str | None
    position: int


class Timeline(Shape, frozen=True, kw_only=True):
    """A person's time in the register, without a hole."""

    items: tuple[TimelineRow, ...]
    as_of: datetime
    position: int


class Roll(Shape, frozen=True, kw_only=True):
    """A page of those in a place at an instant, by since."""

    items: tuple[RollRow, ...]
    next: str | None
    as_of: datetime
    position: int


class Occupancy(Shape, frozen=True, kw_only=True):
    """A place day by day."""

    items: tuple[OccupancyRow, ...]
    as_of: datetime
    position: int


class OccupancyPersons(Shape, frozen=True, kw_only=True):
    """The persons behind each number of one day."""

    persons: dict[str, tuple[str, ...]]
    as_of: datetime
    position: int


class Authorities(Shape, frozen=True, kw_only=True):
    """A page of authorities."""

    items: tuple[Authority, ...]
    next: str | None
    position: int


class Facilities(Shape, frozen=True, kw_only=True):
    """A page of facilities."""

    items: tuple[Facility, ...]
    next: str | None
    position: int


class Agreements(Shape, frozen=True, kw_only=True):
    """A page of agreements."""

    items: tuple[Agreement, ...]
    next: str | None
    position: int


class Transfers(Shape, frozen=True, kw_only=True):
    """A page of transfers."""

    items: tuple[Transfer, ...]
    next: str | None
    position: int


class Handovers(Shape, frozen=True, kw_only=True):
    """A page of handovers."""

    items: tuple[Handover, ...]
    next: str | None
    position: int


class AuditTrail(Shape, frozen=True, kw_only=True):
    """A page of the audit trail."""

    items: tuple[AuditRow, ...]
    next: str | None
    position: int


class Events(Shape, frozen=True, kw_only=True):
    """A page of the log."""

    items: tuple[LogEvent, ...]
    next: str | None
    position: int
