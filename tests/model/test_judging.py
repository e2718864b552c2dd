"""The model accepts what a real ledger answered, and finds each way in which a history can be wrong.

A history is doctored in one place at a time: an answer told otherwise, left out, told twice or told too late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from tests.model import rules
from tests.model.answers import Answered, Json
from tests.model.judging import Finding
from tests.model.playing import judged, real_history
from tests.model.rules import ACTS
from tests.model.shortest import report, shortest

SEEDS = (3, 8)
COMMANDS = 4_000
REFUSALS = (
    "actor-is-not-a-party",
    "actor-is-not-an-approver",
    "actor-is-not-the-receiver",
    "actor-may-not-evidence-this-condition",
    "actor-may-not-order-release",
    "agreement-is-already-signed",
    "agreement-is-not-in-force",
    "agreement-is-unknown",
    "another-basis-stands",
    "another-transfer-is-open",
    "authority-is-already-registered",
    "authority-is-of-another-state",
    "basis-does-not-cover-the-window",
    "basis-ends-before-it-starts",
    "basis-has-no-end",
    "basis-is-already-recorded",
    "basis-is-not-live",
    "basis-is-unknown",
    "certificate-is-older-than-the-one-in-force",
    "condition-cannot-be-waived",
    "conditions-are-not-met",
    "destination-is-not-under-the-receiving-authority",
    "facility-is-already-registered",
    "facility-is-full",
    "facility-is-unknown",
    "handover-is-unknown",
    "hold-forbids-departure",
    "hold-forbids-handover",
    "hold-forbids-move",
    "hold-forbids-release",
    "hold-is-already-placed",
    "hold-is-not-in-force",
    "identity-is-already-registered",
    "no-handover-is-open",
    "nobody-confirms-their-own-act",
    "occurred-at-is-before-the-last-fact",
    "occurred-at-is-in-the-future",
    "origin-and-destination-are-the-same",
    "parties-are-not-two-states",
    "person-is-already-in-custody",
    "person-is-held-by-another-authority",
    "person-is-not-held-here",
    "person-is-not-in-custody",
    "person-is-not-released",
    "release-checks-are-incomplete",
    "release-is-already-ordered",
    "release-is-already-recorded",
    "release-is-already-verified",
    "release-is-declared-erroneous",
    "release-is-not-due",
    "release-is-unknown",
    "role-is-not-held",
    "roles-conflict",
    "rule-set-is-not-allowed-by-the-agreement",
    "second-approval-is-missing",
    "supervision-is-missing",
    "transfer-is-already-requested",
    "transfer-is-closed",
    "transfer-is-not-approved",
    "transfer-is-not-awaiting-decision",
    "transfer-is-unknown",
    "whereabouts-differ",
)
"""Refusals that surely come up in so many wild commands."""

History = Sequence[Answered]


@cache
def history(seed: int) -> tuple[Answered, ...]:
    """A long real history."""
    return tuple(real_history(seed, COMMANDS))


def real() -> tuple[Answered, ...]:
    """The one that is doctored."""
    return history(SEEDS[0])


def until(answered: Answered) -> list[Answered]:
    """The history before an answer."""
    for played in map(history, SEEDS):
        for number, item in enumerate(played):
            if item is answered:
                return list(played[:number])
    raise LookupError(answered.key)


def without(left_out: Answered) -> list[Answered]:
    """The history as if nobody had been told of one command."""
    return [item for item in real() if item.who != left_out.who]


def first(is_meant: Callable[[Answered], bool]) -> Answered:
    """The first answer that is meant."""
    return next(item for seed in SEEDS for item in history(seed) if is_meant(item))


def granted(name: str, *, count: int = 0) -> Answered:
    """A granted command of that name, told for the first time."""
    return [item for item in real() if item.is_granted and not item.replayed and item.name == name][count]


def told_otherwise(answered: Answered, **changes: Any) -> Answered:
    """A granted answer whose first event is told otherwise."""
    event, *others = answered.document["events"]
    return replace(answered, document={**answered.document, "events": [{**event, **changes}, *others]})


def as_granted(refused: Answered) -> Answered:
    """A refusal told as granted, with an event that stands where the next one would."""
    event = {"position": refused.position + 1, "event_id": "made-up", "type": "made-up.v1", "stream": "made-up:x"}
    event |= {"stream_version": 1, "leaf_hash": "x" * 44, "flags": []}
    document: Json = {"position": refused.position + 1, "events": [event], "told": {}}
    return replace(refused, is_granted=True, document=document)


def as_refused(answered: Answered, code: str) -> Answered:
    """A granted answer told as a refusal, on what was on record before it."""
    before = answered.events[0].position - 1
    return replace(answered, is_granted=False, document={"code": code}, seen=before, position=before)


def torn(answered: Answered) -> Answered:
    """An answer whose last event stands further on than behind the one before it."""
    *events, last = answered.document["events"]
    moved = {**last, "position": last["position"] + 5}
    return replace(answered, document={**answered.document, "events": [*events, moved]})


def exchanged() -> list[Answered]:
    """Two neighbours were each told the other's answer."""
    makers = [item for item in real() if item.is_granted and not item.replayed]
    one, other = next(
        pair for pair in pairwise(makers) if [event.stream for event in pair[0].events] != [pair[1].events[0].stream]
    )
    swapped = {one.who: replace(one, document=other.document), other.who: replace(other, document=one.document)}
    return [swapped.get(item.who, item) for item in real()]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_ledger_answered_is_accepted(seed: int) -> None:
    assert judged(history(seed)) is None


def test_the_histories_are_rich() -> None:
    assert set(REFUSALS) <= {item.code for seed in SEEDS for item in history(seed)}


@pytest.mark.parametrize("code", REFUSALS)
def test_what_is_forbidden_must_not_be_granted(code: str) -> None:
    refused = first(lambda item: item.code == code)
    finding = judged([*until(refused), as_granted(refused)])
    assert finding is not None
    assert (finding.kind, finding.should) == ("it must not be", f"the model refuses it with {code}")
    assert finding.answered.who == refused.who


@pytest.mark.parametrize("name", ACTS)
def test_what_is_allowed_must_not_be_refused(name: str) -> None:
    answered = granted(name)
    finding = judged([*until(answered), as_refused(answered, "person-is-dead")])
    assert finding is not None
    assert finding.should == "the model grants it"


def of_two() -> Answered:
    """A hold on two persons at once."""
    return first(lambda item: item.name == "place-hold" and len(item.events) == 2)


def contradicting() -> Answered:
    """A presence that did not fit."""
    return first(lambda item: item.name == "report-presence" and bool(item.events and item.events[0].flags))


def stale() -> list[Answered]:
    """A transfer was told to be unknown by one who had seen the request of it."""
    request = granted("request-transfer", count=2)
    unknown = first(lambda item: item.code == "transfer-is-unknown" and item.name == "approve-transfer")
    at = request.events[-1].position
    late = replace(unknown, data={**unknown.data, "transfer": request.data["transfer"]}, seen=at, position=at)
    return [*until(request), request, late]


DOCTORED: dict[str, tuple[Callable[[], History], str]] = {
    "an event is gone": (
        lambda: without(granted("offer-handover")),
        "a position is missing before it",
    ),
    "a position is given twice": (
        lambda: [*real(), replace(granted("record-move-within"), key="another")],
        "its position is taken",
    ),
    "a position is inside another command": (
        lambda: [
            *until(hold := of_two()),
            hold,
            told_otherwise(granted("request-transfer"), position=hold.events[1].position),
        ],
        "its position is taken",
    ),
    "one event stands twice": (
        lambda: [
            *until(last := granted("request-transfer")),
            told_otherwise(last, event_id=real()[0].events[0].event_id),
        ],
        "its event stands elsewhere too",
    ),
    "a version is left out": (
        lambda: [
            *until(last := granted("open-custody")),
            told_otherwise(last, stream_version=last.events[0].stream_version + 1),
        ],
        "a version is missing or doubled",
    ),
    "the events are not side by side": (
        lambda: [*until(last := of_two()), torn(last)],
        "its events do not follow one another",
    ),
    "the answer's position is another": (
        lambda: [
            *until(last := granted("open-custody")),
            replace(last, document={**last.document, "position": last.position + 1}),
        ],
        "its position is not that of its last event",
    ),
    "an event is of another type": (
        lambda: [*until(last := granted("record-release")), told_otherwise(last, type="release-verified.v1")],
        "it told of release-verified",
    ),
    "an event is of another person": (
        lambda: [*until(last := granted("record-release")), told_otherwise(last, stream="person:somebody")],
        "it told of person-released on person:somebody",
    ),
    "a flag is made up": (
        lambda: [*until(last := granted("open-custody")), told_otherwise(last, flags=["over-capacity"])],
        "it told of custody-opened",
    ),
    "a flag is kept back": (
        lambda: [*until(last := contradicting()), told_otherwise(last, flags=[])],
        "it told of presence-reported",
    ),
    "two were told each other's answer": (exchanged, "it told of"),
    "a repeat is told otherwise": (
        lambda: [*until(last := first(lambda item: item.replayed)), told_otherwise(last, event_id="another")],
        "the repeat is told something else",
    ),
    "what is no repeat is told as one": (
        lambda: [
            *until(last := granted("record-release")),
            last,
            replace(last, key="another", data={**last.data, "facility": "n-2"}, replayed=True),
        ],
        "it is no repeat",
    ),
    "a key stands for two commands": (
        lambda: [
            *until(last := granted("record-release")),
            replace(last, key=granted("record-basis", count=2).key, authority="north"),
        ],
        "it must not be",
    ),
    "a refusal is older than what its sender had seen": (stale, "it is right nowhere"),
}


@pytest.mark.parametrize(("doctored", "kind"), DOCTORED.values(), ids=DOCTORED)
def test_a_doctored_history_is_rejected(doctored: Callable[[], History], kind: str) -> None:
    finding = judged(doctored())
    assert finding is not None
    assert finding.kind.startswith(kind)


def test_a_refusal_right_at_any_position_of_its_time_is_accepted() -> None:
    *before, request, late = stale()
    was_under_way = replace(late, seen=request.events[0].position - 1)
    assert judged([*before, request, was_under_way]) is None


LAWS: dict[str, tuple[str, str]] = {
    "one person has two holders": ("open-custody", "person-is-already-in-custody"),
    "a place holds more than it may": ("open-custody", "facility-is-full"),
}


@pytest.mark.parametrize(("kind", "name", "code"), [(kind, *told) for kind, told in LAWS.items()], ids=LAWS)
def test_the_laws_hold_whatever_the_rules_say(kind: str, name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for played in map(history, (*SEEDS, *range(20, 30))):
        for index, refused in enumerate(played):
            if (refused.name, refused.code) != (name, code):
                continue
            finding = _granted_all_the_same(played[:index], refused, monkeypatch)
            if finding is not None and finding.kind == kind:
                return
    raise AssertionError(f"nobody was refused so that {kind}")


def _granted_all_the_same(before: History, refused: Answered, monkeypatch: pytest.MonkeyPatch) -> Finding | None:
    """What is found when the rules look away at the last answer."""
    person, made_up = refused.data["person"], as_granted(refused)
    versions = [event.stream_version for item in before for event in item.events if event.stream == f"person:{person}"]
    last = told_otherwise(
        made_up, type="custody-opened.v1", stream=f"person:{person}", stream_version=max(versions, default=0) + 1
    )
    judge_by_the_rules = rules.verdict
    with monkeypatch.context() as patch:
        patch.setattr(
            rules,
            "verdict",
            lambda world, item, now: None if item.who == last.who else judge_by_the_rules(world, item, now),
        )
        return judged([*before, last])


def test_the_shortest_history_needs_each_of_its_answers() -> None:
    refused = first(lambda item: item.code == "no-handover-is-open" and item.name == "accept-handover")
    whole = [*until(refused), as_granted(refused)]
    finding = judged(whole)
    assert finding is not None

    def judging_part(part: History) -> Finding | None:
        return judged(part, whole=False)

    part = shortest(whole, finding, judging_part)
    assert len(part) < 40 < len(whole)
    for number in range(len(part)):
        found = judging_part(part[:number] + part[number + 1 :])
        assert found is None or found.same != finding.same
    said = list(report(whole, finding, judging_part))
    assert said[0].startswith("model: east's accept-handover")
    assert len(said) == len(part) + 2
    assert "accept-handover" in said[-1]
