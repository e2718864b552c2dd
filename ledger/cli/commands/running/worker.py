"""The worker: a process of its own that keeps the views, beside the one or the many that record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from ledger.cli.exits import CommandFailed, ExitCode
from ledger.cli.options import (
    Auth,
    DatabaseUrl,
    Environment,
    Host,
    LogFormat,
    LogLevel,
    MetricsPort,
    WithParent,
    settings_of,
)
from ledger.cli.stopping import told_to_stop
from ledger.cli.terminal import say

if TYPE_CHECKING:
    from ledger.settings import Settings
    from ledger.store import EventLog
    from projections import Views


def worker(
    database_url: DatabaseUrl = None,
    environment: Environment = None,
    auth: Auth = None,
    host: Host = None,
    metrics_port: MetricsPort = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    with_parent: WithParent = False,
) -> None:
    """Keep the views: follow the log with each of them until SIGTERM or Ctrl-C. It records nothing.

    Several may run on one ledger; one drives a view, the others stand by. `custody serve` on SQLite runs one itself.
    """
    from ledger.children import stop_with_parent
    from ledger.keeping import keep_views
    from ledger.observing.lines import logger, set_up
    from ledger.settings import check_start

    settings = settings_of(
        database_url=database_url,
        environment=environment,
        auth=auth,
        host=host,
        metrics_port=metrics_port,
        log_level=log_level,
        log_format=log_format,
    )
    if not with_parent:
        check_start(settings)
    set_up(settings.log_level, settings.log_format)
    log = logger()
    with told_to_stop() as told:
        if with_parent:
            stop_with_parent(told.set)
        keep_views(
            settings.database_url.get_secret_value(),
            told,
            lambda text: log.info(text, part="views"),
            partial(numbers_shown, settings),
        )
    if not with_parent:
        say("Stopped.")


@contextmanager
def numbers_shown(settings: Settings, log: EventLog, views: Views) -> Iterator[None]:
    """`/metrics` answered meanwhile, where a port is set for it."""
    from ledger.observing.endpoint import shown_at
    from ledger.observing.metrics import Metrics, OfTheLog, OfTheViews

    with ExitStack() as stack:
        if settings.metrics_port is not None:
            metrics = Metrics(OfTheLog(log), OfTheViews(views))
            try:
                stack.enter_context(shown_at(settings.host, settings.metrics_port, metrics))
            except OSError as error:
                raise CommandFailed(
                    ExitCode.UNREACHABLE,
                    f"can't answer /metrics on {settings.host}, port {settings.metrics_port}",
                    why=error.strerror or type(error).__name__,
                    next_="give another --metrics-port; 0 takes any free one",
                ) from error
        yield
