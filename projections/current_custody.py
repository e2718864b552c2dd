"""Who holds a person, where, since when, on what ground, and how sure the register is.

The head is kept in columns that answer at any instant from the last fact on; an earlier instant, or an earlier
knowledge, is folded on read.
"""

from __future__ import annotations

from typing import Final

import msgspec

from domain.custody.state import CustodyState, Step
from domain.names import PersonId
from projections import standing
from projections.engine.asking import Answer, Item, Reader, When
from projections.engine.instants import kept, shown
from projections.engine.tables import Row, Rows, Table, Value
from projections.engine.view import Batch, View
from projections.engine.views import Views

STEPS: Final = ("status", "responsible", "custodian", "at")
"""The step functions of time: each is kept as its value, since when, and by which position."""

_STEP_COLUMNS: Final = tuple(f"{step}{part}" for step in STEPS for part in ("", "_since", "_ref"))
HEADS: Final = Table(
    name="current_custody_heads",
    columns=("person", "settled_at", "ref", "file", "offer", *_STEP_COLUMNS, *standing.COLUMNS),
    key=("person",),
    integers=("ref", *(f"{step}_ref" for step in STEPS)),
    refs=("ref", *(f"{step}_ref" for step in STEPS)),
)


def apply(batch: Batch, rows: Rows) -> None:
    """Write the heads of everybody a fact is about."""
    subjects = batch.touched
    heads: list[Row] = [
        (one.person, kept(one.settled_at), one.ref, *_columns(one.head), *one.made(standing.standing_columns))
        for one in subjects.values()
        if one.head is not None
    ]
    rows.replace(HEADS, "person", batch.known_before, heads)


VIEW: Final = View(name="current_custody", version=1, tables=(HEADS,), apply=apply)


def _columns(state: CustodyState) -> tuple[Value, ...]:
    """A state as it is kept, from `file` on, but for how the person stands."""
    steps: tuple[Step[str | None], ...] = (state.status, state.responsible, state.custodian, state.at)
    kept_steps = [part for step in steps for part in (step.value, kept(step.since), step.ref)]
    return state.file, _offer(state), *kept_steps


def _offer(state: CustodyState) -> str | None:
    offer = state.open_offer
    if offer is None:
        return None
    receiving = offer.body.receiving
    return standing.text(
        {
            "handover": offer.body.handover,
            "transfer": offer.body.transfer,
            "to": receiving.authority,
            "facility": receiving.facility,
            "offered_at": shown(kept(offer.recorded.occurred_at)),
            "ref": offer.recorded.position,
        }
    )


def custody(views: Views, when: When, person: str) -> Answer[Item | None]:
    """Where a person's custody stands; `None` where there is no file at that instant and knowledge."""
    return views.ask(VIEW.name, when, lambda reader: _custody(reader, PersonId(person)), about=f"person:{person}")


def _custody(reader: Reader, person: PersonId) -> Item | None:
    columns = ", ".join(HEADS.columns)
    rows = reader.select(f"SELECT {columns} FROM {{current_custody_heads}} WHERE person = ?", person)
    for _, settled_at, ref, *head in rows:
        if str(settled_at) <= reader.as_of and int(ref or 0) <= reader.known_at:
            return _item(person, head, reader.as_of)
    places = reader.facts.register(reader, reader.known_at)
    for subject in reader.facts.subjects(reader, [person], reader.known_at, places).values():
        state = subject.at(reader.when.instant)
        if state is not None:
            head = [*_columns(state), *standing.standing(state, places).columns]
            return _item(person, head, reader.as_of)
    return None


def _item(person: str, head: list[Value], as_of: str) -> Item:
    file, offer = head[:2]
    after_steps = 2 + 3 * len(STEPS)
    steps = [head[start : start + 3] for start in range(2, after_steps, 3)]
    stands = standing.kept_standing(head[after_steps:])
    return {
        "person": person,
        **{
            name: {"value": value, "since": shown(str(since)), "ref": ref}
            for name, (value, since, ref) in zip(STEPS, steps, strict=True)
        },
        "basis": stands.basis,
        "lawful_until": stands.lawful_until(as_of),
        "confidence": stands.confidence(as_of),
        "unaccounted": stands.unaccounted(as_of),
        "offer": None if offer is None else msgspec.json.decode(str(offer)),
        "file": file,
    }
