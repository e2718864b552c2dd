"""Who is in the register: one row a person, as the head stands."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from projections.engine.asking import Answer, Item, Page, Reader, When
from projections.engine.instants import kept, kept_or_none
from projections.engine.person_facts import Subject
from projections.engine.tables import Row, Rows, Table, Value
from projections.engine.view import Batch, View
from projections.engine.views import Views
from projections.standing import agreement_of, text

PEOPLE: Final = Table(
    name="people_rows",
    columns=("person", "status", "file", "custodian", "responsible", "at", "agreement", "flags", "ref"),
    key=("person",),
    integers=("ref",),
    indexes=(("custodian", "person"), ("status", "person")),
    refs=("ref",),
)
HOLDS: Final = Table(
    name="people_holds",
    columns=("person", "hold", "begins", "ends", "ref"),
    key=("person", "hold"),
    integers=("ref",),
    refs=("ref",),
)
UNDER_HOLD: Final = "under-hold"

_FLAGS: Final = msgspec.json.Decoder(list[str])


def apply(batch: Batch, rows: Rows) -> None:
    """Write the rows of everybody a fact is about."""
    subjects = batch.touched.values()
    people_rows = [row for one in subjects if (row := _row(one)) is not None]
    rows.replace(PEOPLE, "person", batch.known_before, people_rows)
    rows.replace(HOLDS, "person", batch.known_before, [row for one in subjects for row in _holds(one)])


def _row(subject: Subject) -> Row | None:
    state = subject.head
    if state is None:
        return None
    # Whether a hold is in force depends on when one asks; the holds are kept beside.
    flags = [flag for flag in subject.flags if flag != UNDER_HOLD]
    return (
        subject.person,
        state.status.value,
        state.file,
        state.custodian.value,
        state.responsible.value,
        state.at.value,
        agreement_of(state),
        text(flags),
        subject.ref,
    )


def _holds(subject: Subject) -> list[Row]:
    """The holds with the instants between which each is in force."""
    found: list[Row] = []
    for id_, hold in subject.head.holds.items() if subject.head is not None else ():
        ends = [end for end in (hold.body.until, hold.lifted_at) if end is not None]
        last: datetime | None = min(ends, default=None)
        found.append((subject.person, id_, kept(hold.body.effective_at), kept_or_none(last), hold.placed.position))
    return found


VIEW: Final = View(name="people", version=1, tables=(PEOPLE, HOLDS), apply=apply)

_IS_HELD: Final = (
    "EXISTS (SELECT 1 FROM {people_holds} h WHERE h.person = p.person "
    "AND h.begins <= ? AND (h.ends IS NULL OR h.ends > ?))"
)
_COLUMNS: Final = ", ".join(f"p.{column}" for column in PEOPLE.columns)
_SELECT: Final = f"SELECT {_COLUMNS}, CASE WHEN {_IS_HELD} THEN 1 ELSE 0 END FROM {{people_rows}} p"
FILTERS: Final = ("status", "file", "custodian", "responsible", "at", "agreement")


def people(
    views: Views,
    when: When,
    *,
    limit: int = 100,
    after: str | None = None,
    flags: str | None = None,
    **filters: str | None,
) -> Answer[Page]:
    """Everybody in the register, by id; `filters` are columns of `FILTERS`, `flags` one code."""
    assert filters.keys() <= set(FILTERS), "a filter is a column"
    wanted = {column: value for column, value in filters.items() if value is not None}

    def question(reader: Reader) -> Page:
        conditions = ["p.person > ?", *(f"p.{column} = ?" for column in wanted)]
        parameters: list[Value] = [reader.as_of, reader.as_of, after or "", *wanted.values()]
        if flags == UNDER_HOLD:
            conditions.append(_IS_HELD)
            parameters += [reader.as_of, reader.as_of]
        elif flags is not None:
            conditions.append("p.flags LIKE ?")
            parameters.append(f'%"{flags}"%')
        sql = f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY p.person LIMIT ?"
        found = [_item(row) for row in reader.select(sql, *parameters, limit + 1)]
        items = found[:limit]
        return Page(items=items, next=items[-1]["person"] if len(found) > limit else None)

    return views.ask(VIEW.name, when, question)


def person(views: Views, when: When, id_: str) -> Answer[Item | None]:
    """One person; `None` for an id that the register does not know."""

    def question(reader: Reader) -> Item | None:
        rows = reader.select(f"{_SELECT} WHERE p.person = ?", reader.as_of, reader.as_of, id_)
        return _item(rows[0]) if rows else None

    return views.ask(VIEW.name, when, question, about=f"person:{id_}")


def _item(row: Row) -> Item:
    *values, is_held = row
    item: Item = dict(zip(PEOPLE.columns, values, strict=True))
    held = [UNDER_HOLD] if is_held else []
    return {**item, "flags": sorted([*_FLAGS.decode(str(item["flags"])), *held])}
