"""Two generations of a view held against each other: by digest, and where that differs row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec

from projections.engine.driving.lines import names_of
from projections.engine.tables import Row, Session, Table, Value
from projections.engine.view import View

DIFFERENCES_KEPT_MAX: Final = 1_000

ROWS_HASHED: Final = 1_000
"""How many rows are put into the digest at once."""

_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One row that two generations do not share; `None` where one of them has no row under the key.

    `columns` are those that differ, `events` the positions behind the row.
    """

    table: str
    key: Mapping[str, Value]
    columns: tuple[str, ...]
    live: Mapping[str, Value] | None
    rebuilt: Mapping[str, Value] | None
    events: tuple[int, ...]

    def document(self) -> dict[str, object]:
        """The difference as JSON shows it."""
        return {
            "table": self.table,
            "key": dict(self.key),
            "columns": list(self.columns),
            "live": None if self.live is None else dict(self.live),
            "rebuilt": None if self.rebuilt is None else dict(self.rebuilt),
            "events": list(self.events),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The live generation of a view and one made from the log alone, at one position.

    At most `DIFFERENCES_KEPT_MAX` differences are kept; `differing` counts them all.
    """

    view: str
    position: int
    rows: int
    digest: str
    digest_rebuilt: str
    differing: int
    differences: tuple[Difference, ...]

    @property
    def is_equal(self) -> bool:
        """Whether the live view says what the log says; bytes have the digest of their base64, and differ from it."""
        return self.digest == self.digest_rebuilt and not self.differing

    def document(self) -> dict[str, object]:
        """The comparison as JSON shows it."""
        return {
            "view": self.view,
            "position": self.position,
            "rows": self.rows,
            "digest": self.digest,
            "digest_rebuilt": self.digest_rebuilt,
            "equal": self.is_equal,
            "differing": self.differing,
            "differences": [difference.document() for difference in self.differences],
        }


def digest(session: Session, view: View, generation: int) -> str:
    """SHA-256 over the view's rows: per table its name, then each row as a JSON list, in the order of the key."""
    hashed = hashlib.sha256()
    names = names_of(view, generation)
    for table in view.tables:
        hashed.update(f"{table.name}\n".encode())
        rows = session.each(_all_rows(table, names[table.name]))
        while some := list(islice(rows, ROWS_HASHED)):
            hashed.update(_ENCODER.encode_lines(some))
    return hashed.hexdigest()


def compare(session: Session, view: View, position: int, live: int, rebuilt: int) -> Comparison:
    """Hold the live generation against the rebuilt one; both stand at the position."""
    names = names_of(view, live)
    rows = sum(_count(session, names[table.name]) for table in view.tables)
    found = digest(session, view, live)
    # Rows that are the same have the same digest; the engine holds them against each other sooner than they are read.
    same = all(_same(session, table, table.named(live), table.named(rebuilt)) for table in view.tables)
    digests = (found, found if same else digest(session, view, rebuilt))
    differences = [] if same else list(_differences(session, view, live, rebuilt))
    return Comparison(
        view=view.name,
        position=position,
        rows=rows,
        digest=digests[0],
        digest_rebuilt=digests[1],
        differing=len(differences),
        differences=tuple(differences[:DIFFERENCES_KEPT_MAX]),
    )


def _differences(session: Session, view: View, live: int, rebuilt: int) -> Iterator[Difference]:
    for table in view.tables:
        old, new = table.named(live), table.named(rebuilt)
        only_live = {_key(table, row): row for row in _except(session, table, old, new)}
        only_rebuilt = {_key(table, row): row for row in _except(session, table, new, old)}
        for key in sorted(only_live.keys() | only_rebuilt.keys(), key=_order):
            yield _difference(table, key, only_live.get(key), only_rebuilt.get(key))


def _same(session: Session, table: Table, old: str, new: str) -> bool:
    """Whether both tables hold the same rows."""
    equal = [f"(a.{one} = b.{one} OR a.{one} IS NULL AND b.{one} IS NULL)" for one in table.columns]
    sql = f"SELECT count(*) FROM {old} a JOIN {new} b USING ({', '.join(table.key)}) WHERE {' AND '.join(equal)}"
    [(shared,)] = session.select(sql)
    return shared == _count(session, old) == _count(session, new)


def _except(session: Session, table: Table, one: str, other: str) -> list[Row]:
    columns = ", ".join(table.columns)
    return session.select(f"SELECT {columns} FROM {one} EXCEPT SELECT {columns} FROM {other}")


def _difference(table: Table, key: Row, live: Row | None, rebuilt: Row | None) -> Difference:
    rows = [dict(zip(table.columns, row, strict=True)) for row in (live, rebuilt) if row is not None]
    columns = table.columns if live is None or rebuilt is None else _differing(table, live, rebuilt)
    refs = {row[column] for row in rows for column in table.refs}
    return Difference(
        table=table.name,
        key=dict(zip(table.key, key, strict=True)),
        columns=columns,
        live=rows[0] if live is not None else None,
        rebuilt=rows[-1] if rebuilt is not None else None,
        events=tuple(sorted(ref for ref in refs if isinstance(ref, int))),
    )


def _differing(table: Table, live: Row, rebuilt: Row) -> tuple[str, ...]:
    pairs = zip(table.columns, live, rebuilt, strict=True)
    return tuple(column for column, one, other in pairs if one != other)


def _key(table: Table, row: Row) -> Row:
    return tuple(row[table.columns.index(column)] for column in table.key)


def _order(key: Row) -> tuple[tuple[bool, str, Value], ...]:
    """In the order of the key; what somebody has put there that does not belong comes apart, by its type."""
    return tuple((value is not None, type(value).__name__, value) for value in key)


def _count(session: Session, name: str) -> int:
    [(found,)] = session.select(f"SELECT count(*) FROM {name}")
    assert isinstance(found, int)
    return found


def _all_rows(table: Table, name: str) -> str:
    return f"SELECT {', '.join(table.columns)} FROM {name} ORDER BY {', '.join(table.key)}"
