"""What a rebuild is to come to: up to where each line is built, and what it leaves out on the way.

Both are read anew whenever the live views may have moved, or have parked more, since it was last looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from projections.engine import person_facts
from projections.engine.driving import lines, parking
from projections.engine.driving.parking import NOTHING_ASIDE, Aside, Skipped
from projections.engine.tables import Session
from projections.engine.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to rebuild: the views, and of a retry the streams to try, `None` for a strict rebuild.

    `decided` is a decision to skip an event that is recorded before, and `lifted` a skipped event of the views that is
    to be applied after all. `afresh` throws away what an earlier rebuild has left unfinished.
    """

    names: Sequence[str]
    tried: frozenset[str] | None = None
    decided: Skipped | None = None
    lifted: int | None = None
    afresh: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """By the name of the view, up to where its line is to be built, and what it leaves out on the way."""

    targets: Mapping[str, int] = field(default_factory=dict)
    asides: Mapping[str, Aside] = field(default_factory=dict)


def aim(session: Session, views: Mapping[str, View], task: Task) -> Goal:
    """The goal by where the live views are now; the persons' facts go as far as anybody who folds them."""
    live = lines.live_lines(session)
    targets = {name: live[name].position for name in task.names}
    folding = [position for name, position in targets.items() if views[name].folds]
    if folding and person_facts.NAME not in targets:
        targets[person_facts.NAME] = max(folding)
    return Goal(targets, asides_of(session, views, task, targets))


def asides_of(session: Session, views: Mapping[str, View], task: Task, names: Iterable[str]) -> dict[str, Aside]:
    """What each view leaves out, by position; who folds leaves out what the facts do."""
    decided, live = parking.decided(session), lines.live_lines(session)
    found: dict[str, Aside] = {}
    for name in sorted(names, key=lambda name: name != person_facts.NAME):
        is_named = name in task.names
        events = {}
        if views[name].folds and name != person_facts.NAME:
            events = {one.position: one.of_facts(name) for one in found[person_facts.NAME].events.values()}
        if task.tried is not None:
            for one in parking.aside_of(session, live[name]).events.values():
                if one.kind == "parked" and not (is_named and one.stream in task.tried):
                    events.setdefault(one.position, one)
        events.update(decided.get(name, NOTHING_ASIDE).events)
        if is_named and task.lifted is not None:
            events.pop(task.lifted, None)
        found[name] = Aside(events)
    return found
