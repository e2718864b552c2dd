"""The doctor: a handful of questions about this installation, each answered in a line that names the next command.

Every question is asked, also when an earlier one went wrong. A check says what it found, or raises; what it raises is
told as any command would tell it, and the first that did gives the exit code.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

from ledger.cli.commands.upkeep import require_current
from ledger.cli.exits import CommandFailed, ExitCode, Failure, failure_of
from ledger.cli.opening import BEHIND_SECONDS, opened, opened_log
from ledger.cli.options import AsJson, Auth, DatabaseUrl, Environment, Host, Port, settings_of
from ledger.cli.terminal import show_document, show_table, warn

if TYPE_CHECKING:
    from ledger.settings import Settings

COLUMNS: Final = ("check", "result", "found", "next")
CLOCK_MAY_LAG: Final = timedelta(minutes=5)
"""How far this machine's clock may stand before the latest recorded time (TRUST §14.8)."""
LIBRARY: Final = "eventsourcing"


def doctor(
    host: Host = None,
    port: Port = None,
    database_url: DatabaseUrl = None,
    environment: Environment = None,
    auth: Auth = None,
    as_json: AsJson = False,
) -> None:
    """Settings, versions, database, fences, clock and views: what is well, what is not, and what to run next."""
    settings = settings_of(host=host, port=port, database_url=database_url, environment=environment, auth=auth)
    checks: dict[str, Callable[[Settings], str]] = {
        "settings": settings_may_start,
        "versions": versions_fit,
        "database": database_answers,
        "fences": fences_stand,
        "clock": clock_is_sane,
        "views": views_are_current,
    }
    failures: list[Failure] = []
    rows = []
    for name, check in checks.items():
        found = _result(partial(check, settings))
        if isinstance(found, Failure):
            failures.append(found)
            text = f"{found.what}: {found.why}" if found.why is not None else found.what
            rows.append({"check": name, "result": "problem", "found": text, "next": found.next})
        else:
            rows.append({"check": name, "result": "ok", "found": found, "next": None})
    if as_json:
        show_document({"checks": rows, "well": not failures})
    else:
        show_table(COLUMNS, rows)
    if failures:
        first = failures[0]
        count = f"{len(failures)} of {len(checks)} checks found a problem, the first: {first.what}"
        raise CommandFailed(first.exit_code, count, why=first.why, next_=first.next)


def _result(check: Callable[[], str]) -> str | Failure:
    try:
        return check()
    except Exception as error:  # noqa: BLE001  # whatever a check raises is what it found
        return failure_of(error)


def settings_may_start(settings: Settings) -> str:
    """Whether a server would start with them."""
    from ledger.settings import check_start

    check_start(settings)
    return f"{settings.environment}, auth={settings.auth}, port {settings.port} of {settings.host}"


def versions_fit(_settings: Settings) -> str:
    """Whether the library under the log is the one that this version was made for."""
    from importlib.metadata import requires, version

    pinned = next((text for text in requires("custody-ledger") or () if text.startswith(f"{LIBRARY}==")), "")
    found = version(LIBRARY)
    if pinned != f"{LIBRARY}=={found}":
        raise CommandFailed(
            ExitCode.UNREACHABLE,
            f"{LIBRARY} {found} is installed, this version needs {pinned or 'another'}",
            next_="python -m pip install --require-hashes -r requirements.txt",
        )
    return f"custody {version('custody-ledger')} on {LIBRARY} {found}"


def database_answers(settings: Settings) -> str:
    """Whether the log can be read and has its first commit."""
    from ledger.cli.commands.database import shown_url

    with opened_log(settings) as log:
        return f"{shown_url(settings.database_url.get_secret_value())}, head {log.head()}"


def fences_stand(settings: Settings) -> str:
    """Whether tables, counts and fences are as they were made; the server's settings that are unsafe are warned of."""
    with opened_log(settings) as log:
        found = log.check()
    for text in found.warnings:
        warn(text)
    if not found.is_sound:
        raise CommandFailed(
            ExitCode.NOT_VERIFIED,
            "the database is not sound",
            why="; ".join(found.problems),
            next_="custody audit verify, which names the events; keep a copy of the database first",
        )
    return f"all stand, over {found.events} events and {found.leaves} leaves"


def clock_is_sane(settings: Settings) -> str:
    """Whether this machine's time is not before what is recorded."""
    from ledger.sources import utc_now
    from ledger.store.leaf import read_event
    from projections.engine.instants import kept, shown

    with opened_log(settings) as log:
        [row] = log.read(log.head() - 1, 1)
    last, now = read_event(row).recorded_at, utc_now()
    if now + CLOCK_MAY_LAG < last:
        raise CommandFailed(
            ExitCode.UNREACHABLE,
            f"it is {shown(kept(now))} here, and something was recorded at {shown(kept(last))} already",
            why="what is recorded now would be dated before it",
            next_="set this machine's clock, then custody doctor",
        )
    return f"it is {shown(kept(now))}; the last event was recorded at {shown(kept(last))}"


def views_are_current(settings: Settings) -> str:
    """Whether every view is at the head, given a moment to come up with it."""
    with opened(settings) as ledger:
        head, deadline = ledger.log.head(), monotonic() + BEHIND_SECONDS
        for status in ledger.views.status():
            ledger.views.wait_until(status.view, head, max(0, deadline - monotonic()))
        found = ledger.views.status()
    require_current([one for one in found if one.position < head or one.state == "stopped" or one.parked])
    keeper = "" if any(one.driven for one in found) else ", driven by no process but this one"
    return f"{len(found)} views, each at position {head}{keeper}"
