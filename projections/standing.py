"""How a person stands, in columns that answer at any later instant: what depends on time is kept as instants.

Several views keep a person's head. Each asks here what of it to keep, and what a kept head says at an instant; so does
a question that folds on read, and both give one answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from domain.custody.local_days import local_date
from domain.custody.places import Places
from domain.custody.release_day import last_lawful_date
from domain.custody.standing import confidence
from domain.custody.state import CustodyState
from projections.engine.instants import kept, read, shown
from projections.engine.person_facts import Subject
from projections.engine.tables import Value

COLUMNS: Final = ("basis", "due", "zone", "doubt", "causes", "agreement")
"""The columns of a `Standing`, in its order; those that are no plain text are JSON."""

_ENCODER: Final = msgspec.json.Encoder()
_DUE: Final = msgspec.json.Decoder(list[tuple[date, date | None]])
_CAUSES: Final = msgspec.json.Decoder(list[tuple[str, str]])
_DAY: Final = timedelta(days=1)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What of a head depends on time, and what a list shows beside it.

    `due` holds, from each date on, the last lawful date of custody; `causes` from which instant the person is
    unaccounted; `doubt` is the confidence while accounted for.
    """

    basis: str | None
    due: tuple[tuple[date, date | None], ...]
    zone: str
    doubt: str
    causes: tuple[tuple[str, str], ...]
    agreement: str | None

    @property
    def columns(self) -> tuple[Value, ...]:
        """Its values as they are kept."""
        return self.basis, text(self.due), self.zone, self.doubt, text(self.causes), self.agreement

    def lawful_until(self, as_of: str) -> str | None:
        """The last lawful date of custody as it stands on the local date of an instant."""
        today = local_date(read(as_of), self.zone)
        reached = [until for day, until in self.due if day <= today]
        return reached[-1].isoformat() if reached and reached[-1] is not None else None

    def unaccounted(self, as_of: str) -> dict[str, object] | None:
        """Since when the register cannot say where the person is, and why; `None` while it can."""
        begun = [(since, cause) for since, cause in self.causes if since <= as_of]
        if not begun:
            return None
        since, cause = min(begun)
        return {"cause": cause, "since": shown(since)}

    def confidence(self, as_of: str) -> str:
        """How sure the register is at an instant."""
        return "unaccounted" if self.unaccounted(as_of) is not None else self.doubt


def standing(state: CustodyState, places: Places) -> Standing:
    """The standing of a head."""
    facility = state.placement.value if state.placement is not None else state.last_facility
    return Standing(
        basis=state.basis,
        due=_due(state),
        zone=(places.zone_of(facility) if facility is not None else None) or "UTC",
        # Before any cause begins to count, a head doubts the same as while accounted for.
        doubt=confidence(state, _NEVER),
        causes=tuple(sorted((kept(cause.unaccounted_from), cause.code) for cause in state.causes)),
        agreement=agreement_of(state),
    )


def standing_columns(subject: Subject) -> tuple[Value, ...]:
    """The standing of somebody's head as it is kept; none of a person without a file."""
    return () if subject.head is None else standing(subject.head, subject.places).columns


def kept_standing(columns: Iterable[Value]) -> Standing:
    """The standing that kept columns say."""
    basis, due, zone, doubt, causes, agreement = columns
    return Standing(
        basis=None if basis is None else str(basis),
        due=tuple(_DUE.decode(str(due))),
        zone=str(zone),
        doubt=str(doubt),
        causes=tuple(_CAUSES.decode(str(causes))),
        agreement=None if agreement is None else str(agreement),
    )


def agreement_of(state: CustodyState) -> str | None:
    """The agreement of the latest transfer that stands or was completed; none once the file is closed."""
    if not state.file_open:
        return None
    under = [one for one in state.transfers.values() if one.is_open or one.status == "completed"]
    return under[-1].body.agreement if under else None


def text(value: object) -> str:
    """A value as JSON text."""
    return _ENCODER.encode(value).decode()


def _due(state: CustodyState) -> tuple[tuple[date, date | None], ...]:
    """From each date on which it changes: the last date the bases reach, or the release date where that is earlier."""
    release = state.release_date.body.release_due_on if state.release_date is not None else None
    bases = tuple(state.bases.values())
    turns = {date.min} | {basis.body.valid_from for basis in bases}
    turns |= {
        basis.body.must_end_by + _DAY
        for basis in bases
        if basis.body.must_end_by is not None and basis.body.must_end_by < date.max
    }
    steps: list[tuple[date, date | None]] = []
    for day in sorted(turns):
        lawful = last_lawful_date(bases, day)
        until = min((one for one in (lawful, release) if one is not None), default=None)
        if not steps or steps[-1][1] != until:
            steps.append((day, until))
    return tuple(steps)
