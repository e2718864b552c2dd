"""What the events amount to: one module a view, each made from events alone and provable against them.

`open_views` opens them all; a view's module holds the questions it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from projections.engine import views as _views
from projections.engine.asking import Answer, Item, Page, ViewIsBehind, ViewIsUnknown, When
from projections.engine.database import RebuildIsRunning, ViewsUnreachable
from projections.engine.driving.comparing import Comparison, Difference
from projections.engine.driving.rebuilding import Progress, RebuildFailed, Rebuilt
from projections.engine.driving.status import ViewStatus
from projections.engine.instants import utc_now
from projections.engine.source import EventSource, Stored
from projections.engine.view import View
from projections.engine.views import EventIsNotParked, Views
from projections.table import VIEWS

__all__ = [
    "VIEWS",
    "Answer",
    "Comparison",
    "Difference",
    "EventIsNotParked",
    "EventSource",
    "Item",
    "Page",
    "Progress",
    "RebuildFailed",
    "RebuildIsRunning",
    "Rebuilt",
    "Stored",
    "View",
    "ViewIsBehind",
    "ViewIsUnknown",
    "ViewStatus",
    "Views",
    "ViewsUnreachable",
    "When",
    "open_views",
]


def open_views(url: str, source: EventSource, *, clock: Callable[[], datetime] = utc_now) -> Views:
    """Open the views beside the log that `url` names, making what is missing; see `projections.engine.views`."""
    return _views.open_views(url, source, VIEWS, clock=clock)
