"""Catching up by the page: what stays in memory, what is read back, and how rows are written in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import pytest

from domain.events.event import Event
from domain.names import PersonId
from projections import VIEWS, Views
from projections.engine import person_facts, views
from projections.engine.database import open_database
from projections.engine.driving import running
from projections.engine.driving.lines import live_lines, names_of
from projections.engine.person_facts import Facts, persons_of
from projections.engine.tables import Generation, Row, Rows, Table
from tests.projections.lives import story
from tests.projections.stage import ListSource, change, of_person, views_over
from tests.projections.test_running import digests

LETTERS = Table(
    name="letters_rows", columns=("id", "n", "text", "seen"), key=("id",), integers=("n", "seen"), indexes=(("n",),)
)
NUMBERS = Table(name="letters_numbers", columns=("n", "text"), key=("n",), integers=("n",))
PAIRS = Table(name="letters_pairs", columns=("one", "two"), key=("one", "two"))
MANY = 120
ODD_TEXTS = ("", "a\tb", "back\\slash", "two\nlines", "\\N", "naïve €", '["json","with \\"quotes\\""]')


@contextmanager
def facts_tables(of: Views) -> Iterator[Generation]:
    """The tables of the persons' facts, to read."""
    with of.database.reading() as session:
        line = live_lines(session)[person_facts.NAME]
        yield Generation(session, names_of(VIEWS[person_facts.NAME], line.generation))


@pytest.fixture
def read_back(monkeypatch: pytest.MonkeyPatch) -> list[PersonId]:
    """Everybody whose facts are read from the tables while views are brought up."""
    asked: list[PersonId] = []
    read = Facts.of

    def noting(
        facts: Facts, tables: Generation, persons: Iterable[PersonId], up_to: int | None = None
    ) -> dict[PersonId, list[Event]]:
        some = list(persons)
        asked.extend(some)
        return read(facts, tables, some, up_to)

    monkeypatch.setattr(Facts, "of", noting)
    return asked


def test_from_the_first_event_on_nothing_is_read_back(
    read_back: list[PersonId], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PAGE", 7)
    events = story().events()
    assert views_over(events).position("audit_trail") == len(events)
    assert read_back == []


@pytest.mark.parametrize("kept_max", [0, 4, 15])
def test_beyond_the_limit_the_facts_are_read_back_and_the_rows_are_the_same(
    kept_max: int, read_back: list[PersonId], monkeypatch: pytest.MonkeyPatch
) -> None:
    events = story().events()
    at_once = digests(views_over(events))
    monkeypatch.setattr(running, "PAGE", 5)
    monkeypatch.setattr(views, "Facts", partial(Facts, kept_max=kept_max))
    assert digests(views_over(events)) == at_once
    assert read_back, "the limit was reached"


def test_the_limit_holds() -> None:
    events = story().events()
    facts = Facts(ListSource(events), kept_max=10)
    with facts_tables(views_over(events)) as tables:
        persons = persons_of(events, facts.transfers(tables, events))
        for start in range(0, len(events), 5):
            facts.histories(tables, events[start : start + 5], persons[start : start + 5])
            assert facts._kept_count == sum(map(len, facts._kept.values())) <= 10


@pytest.mark.parametrize(
    "ranges",
    {
        "one after the other": ((0, 30), (30, 45), (45, 60)),
        "beginning late": ((25, 40), (40, 60)),
        "over a hole": ((0, 30), (40, 60)),
        "backwards": ((0, 40), (20, 60), (5, 30)),
        "the same again": ((0, 40), (0, 40)),
    }.values(),
)
def test_a_history_is_whole_wherever_the_last_one_ended(ranges: Sequence[tuple[int, int]]) -> None:
    events = story().events()
    facts = Facts(ListSource(events))
    with facts_tables(views_over(events)) as tables:
        persons = persons_of(events, facts.transfers(tables, events))
        for first, last in ranges:
            found = facts.histories(tables, events[first:last], persons[first:last])
            assert found, "somebody is named in every range"
            for person, history in found.items():
                assert list(history) == of_person(events[:last], person)


@contextmanager
def letters(url: str) -> Iterator[Rows]:
    """Three empty tables to write to, in one transaction."""
    database = open_database(url)
    tables = (LETTERS, NUMBERS, PAIRS)
    try:
        with database.preparing() as session:
            for table in tables:
                session.create(table, table.named(1))
        with database.writing() as session:
            yield Rows(session, {table.name: table.named(1) for table in tables})
    finally:
        database.close()


def texts(count: int) -> list[Row]:
    return [(f"id-{n:03}", n, ODD_TEXTS[n % len(ODD_TEXTS)], None if n % 3 else n) for n in range(count)]


def all_of(rows: Rows, table: Table) -> list[Row]:
    return [tuple(row) for row in rows.select(f"SELECT * FROM {{{table.name}}} ORDER BY {', '.join(table.key)}")]


@pytest.mark.parametrize("count", [1, MANY])
def test_rows_come_back_as_they_were_written_few_or_many(database_url: str, count: int) -> None:
    with letters(database_url) as rows:
        rows.insert(LETTERS, texts(count))
        rows.insert(NUMBERS, [(n, f"{n}") for n in reversed(range(count))])
        assert all_of(rows, LETTERS) == texts(count)
        assert all_of(rows, NUMBERS) == [(n, f"{n}") for n in range(count)]


@pytest.mark.parametrize("count", [1, MANY])
def test_a_row_takes_the_place_of_the_one_with_its_key(database_url: str, count: int) -> None:
    with letters(database_url) as rows:
        rows.insert(LETTERS, texts(MANY))
        changed: list[Row] = [(f"id-{n:03}", -n, None, n) for n in range(count)]
        rows.put(LETTERS, [*changed, ("new", 1, "a", None)])
        assert all_of(rows, LETTERS) == [*changed, *texts(MANY)[count:], ("new", 1, "a", None)]
        pairs: list[Row] = [("a", "b"), ("c", "d")]
        rows.put(PAIRS, pairs)
        rows.put(PAIRS, [*pairs, ("e", "f")])
        assert all_of(rows, PAIRS) == [*pairs, ("e", "f")]


@pytest.mark.parametrize("count", [0, 1, MANY - 1])
def test_replacing_removes_those_named_and_nobody_else(database_url: str, count: int) -> None:
    with letters(database_url) as rows:
        rows.insert(LETTERS, texts(MANY))
        rows.replace(LETTERS, "id", [f"id-{n:03}" for n in range(count)], [("new", 1, "a", None)])
        assert all_of(rows, LETTERS) == [*texts(MANY)[count:], ("new", 1, "a", None)]


@pytest.mark.parametrize(
    ("view", "sql"),
    [
        ("audit_trail", "UPDATE audit_trail_entries__1 SET transfer = 'nothing' WHERE position = 3"),
        ("audit_trail", "UPDATE audit_trail_entries__1 SET transfer = NULL WHERE transfer IS NOT NULL"),
        ("people", "INSERT INTO people_holds__1 (person, hold, begins, ends, ref) VALUES ('p', 'o', 'a', NULL, 1)"),
    ],
)
def test_a_comparison_sees_what_was_nothing_and_what_became_nothing(database_url: str, view: str, sql: str) -> None:
    opened = views_over(story().events(), database_url)
    before = digests(opened)
    change(database_url, sql)
    [found] = [one for one in opened.verify() if not one.is_equal]
    assert (found.view, found.digest, found.digest_rebuilt) == (view, opened.digest(view), before[view])
    assert found.differing == len(found.differences) > 0
    opened.close()
