"""The reference for views: the library's own projection runner, with one view that counts events by kind."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, DomainEventProtocol, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.sqlite import SQLiteTrackingRecorder

from bench.goals import LIBRARY_RUNNER, Figures
from bench.places import library_environment

EVENTS: Final = 1_500
PATIENCE_SECONDS: Final = 60


class Moved(Aggregate):
    """Anything that happened."""

    @event("Registered")
    def __init__(self, name: str) -> None:
        self.name = name


class SQLiteCounts(SQLiteTrackingRecorder):
    """A table of counts in SQLite, which moves together with its position."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.create_table_statements.append(
            "CREATE TABLE IF NOT EXISTS counts (kind TEXT PRIMARY KEY, number INTEGER NOT NULL)"
        )

    def count(self, kind: str, tracking: Tracking) -> None:
        """One more."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking=tracking)
            cursor.execute(
                "INSERT INTO counts VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET number = number + 1", (kind,)
            )


class PostgresCounts(PostgresTrackingRecorder):
    """The same in PostgreSQL."""

    def create_table(self) -> None:
        """Make the table of counts beside that of positions."""
        super().create_table()
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS counts (kind text PRIMARY KEY, number bigint NOT NULL)")

    def count(self, kind: str, tracking: Tracking) -> None:
        """One more."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking=tracking)
            cursor.execute(
                "INSERT INTO counts AS c VALUES (%s, 1) ON CONFLICT (kind) DO UPDATE SET number = c.number + 1", (kind,)
            )


class Counting(Projection[Any]):
    """Counts events by kind."""

    name = "counting"

    def process_event(self, domain_event: DomainEventProtocol[Any], tracking: Tracking) -> None:
        """Take one more event in."""
        self.view.count(type(domain_event).__name__, tracking)


def measure_runner(places: Callable[[str], dict[str, str]], rounds: int, figures: Figures) -> None:
    """Events a second from an application in memory into one view, on each engine; each round into a new one."""
    views: dict[str, Any] = {"sqlite": SQLiteCounts, "postgresql": PostgresCounts}
    for number in range(rounds):
        for engine, url in places(f"runner_{number}").items():
            prefixed = {f"COUNTING_{name}": value for name, value in library_environment(url).items()}
            with ProjectionRunner(
                application_class=Application[Any],
                projection_class=Counting,
                view_class=views[engine],
                env=prefixed,
            ) as runner:
                made = [Moved(name=str(each)) for each in range(EVENTS)]
                began = perf_counter()
                recordings = runner.app.save(*made)
                runner.wait(recordings[-1].notification.id, timeout=PATIENCE_SECONDS)
                rate = EVENTS / (perf_counter() - began)
            print(f"  {LIBRARY_RUNNER} ({engine}): {rate:,.0f}", flush=True)
            figures.setdefault((LIBRARY_RUNNER, engine), []).append(rate)
