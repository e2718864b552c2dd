"""The numbers of one process in the form that Prometheus reads; `docs/watching.md` says what each means.

Whatever is counted while work is done lies in the tallies; all else is asked for when somebody looks. Labels are names
that the program itself knows (routes, commands, codes, views), so there are never more of them than it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from ledger.observing.tally import Serving, Spread
from ledger.store.log import DatabaseUnreachable, EventLog
from ledger.writer.writer import Writer
from projections import Views, ViewStatus, ViewsUnreachable

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST


class Metrics:
    """What one process shows; each has its own, as no two share their numbers."""

    def __init__(self, *collectors: Collector) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        for collector in collectors:
            self.registry.register(collector)

    def text(self) -> bytes:
        """All of it, as it stands now."""
        return generate_latest(self.registry)


class _Asked(Collector):
    """Asked at each look, and not when it is registered: its names are its own."""

    def describe(self) -> list[Metric]:
        """Nothing, so that registering asks no database."""
        return []


class OfTheLog(_Asked):
    """Whether the database answers, and how far the record goes."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def collect(self) -> Iterator[Metric]:
        """The head is left out while nobody can say it."""
        try:
            head: int | None = self._log.head()
        except DatabaseUnreachable:
            head = None
        yield _gauge("custody_database_up", "1 while the database of the log answers, else 0.", head is not None)
        if head is not None:
            yield _gauge("custody_log_position", "The last position of the log.", head)


class OfTheWriter(_Asked):
    """What the writer has done, and what waits for it."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def collect(self) -> Iterator[Metric]:
        """Its own counts since the process began."""
        writer, tally = self._writer, self._writer.watch.tally
        commands = CounterMetricFamily(
            "custody_commands", "Commands decided, by outcome or code of the refusal.", labels=("command", "outcome")
        )
        for labels, count in sorted(tally.commands.copy().items()):
            commands.add_metric(labels, count)
        yield commands
        yield _histogram("custody_batch_commands", "Commands that were decided together.", {(): tally.batches})
        yield _histogram("custody_commit_seconds", "From rows to durable rows, a batch.", {(): tally.commits})
        yield _counter("custody_appends_beaten", "Another process was first.", writer.contention.times_beaten)
        yield _counter("custody_database_outages", "The database was lost.", tally.outages)
        yield _gauge("custody_requests_waiting", "Requests that wait to be decided.", writer.waiting)
        yield _gauge("custody_register_position", "How far this process has read.", writer.register.position)


class OfTheViews(_Asked):
    """How far each view is."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def collect(self) -> Iterator[Metric]:
        """Nothing of any view while their database does not answer."""
        try:
            found = self._views.status()
        except (ViewsUnreachable, DatabaseUnreachable):
            found = []
        yield _gauge("custody_views_up", "1 while the database of the views answers, else 0.", bool(found))
        for name, (text, told) in _OF_A_VIEW.items():
            family = GaugeMetricFamily(f"custody_view_{name}", text, labels=("view",))
            for view in found:
                family.add_metric((view.view,), told(view))
            yield family


_OF_A_VIEW: Final[dict[str, tuple[str, Callable[[ViewStatus], int]]]] = {
    "position": ("The last event that the view has applied.", lambda view: view.position),
    "lag": ("How many events it has yet to apply.", lambda view: view.lag),
    "parked": (
        "Events that it has parked, because they or one before them could not be applied.",
        lambda view: view.parked,
    ),
    "stopped": (
        "1 if it has stopped at an event and will not go on by itself, else 0.",
        lambda view: view.state == "stopped",
    ),
    "driven": ("1 while a process follows the log with it, else 0.", lambda view: view.driven),
}


class OfTheServer(_Asked):
    """What was asked over HTTP."""

    def __init__(self, tally: Serving, streams: Callable[[], int]) -> None:
        self._tally, self._streams = tally, streams

    def collect(self) -> Iterator[Metric]:
        """Requests that are over."""
        tally = self._tally
        requests = CounterMetricFamily(
            "custody_http_requests", "Requests answered, by route and status.", labels=("method", "route", "status")
        )
        for labels, count in sorted(tally.requests.copy().items()):
            requests.add_metric(labels, count)
        yield requests
        problems = CounterMetricFamily("custody_problems", "Problem documents sent, by code.", labels=("code",))
        for code, count in sorted(tally.problems.copy().items()):
            problems.add_metric((code,), count)
        yield problems
        spreads: dict[tuple[str, ...], Spread] = {
            (route,): spread for route, spread in sorted(tally.seconds.copy().items())
        }
        yield _histogram("custody_http_request_seconds", "Until an answer was sent.", spreads, ("route",))
        yield _gauge("custody_open_streams", "Streams of events that are open.", self._streams())


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _histogram(name: str, text: str, spreads: dict[tuple[str, ...], Spread], labels: tuple[str, ...] = ()) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, spread in spreads.items():
        family.add_metric(values, spread.buckets(), spread.total)
    return family
