"""The model accepts what a real ledger answered, and finds each way in which a history can be wrong.

A history is doctored in one place at a time: an answer told otherwise, left out, told twice or told too late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import pairwise
from time import sleep
from typing import Any

import pytest

from tests.chaos import lives
from tests.chaos.asking import Ask, Life
from tests.model import rules
from tests.model.answers import Answered, Json, Record, Stated
from tests.model.judging import Finding
from tests.model.playing import Played, judged, lived, real_history
from tests.model.rules import ACTS
from tests.model.shortest import report, shortest
from tests.scene import E1, EAST, N1, NORTH

SEEDS = (5, 6)
FURTHER = (*SEEDS, *range(20, 30))
"""Where something is looked for that those may not have."""
COMMANDS = 4_000
REFUSALS = (
    "actor-did-not-issue-it",
    "actor-is-not-a-party",
    "actor-is-not-an-approver",
    "actor-is-not-the-other-party",
    "actor-is-not-the-payee",
    "actor-is-not-the-receiver",
    "actor-may-not-evidence-this-condition",
    "actor-may-not-order-release",
    "agreement-is-already-signed",
    "agreement-is-not-in-force",
    "agreement-is-unknown",
    "allocations-exceed-the-amount",
    "amount-has-changed",
    "amount-is-above-the-payable",
    "amount-is-not-positive",
    "an-earlier-period-is-open",
    "another-basis-stands",
    "another-transfer-is-open",
    "authority-is-already-registered",
    "authority-is-of-another-state",
    "authority-is-unknown",
    "basis-does-not-cover-the-window",
    "basis-ends-before-it-starts",
    "basis-has-no-end",
    "basis-is-already-recorded",
    "basis-is-not-live",
    "basis-is-unknown",
    "capacity-is-below-occupancy",
    "certificate-is-older-than-the-one-in-force",
    "component-is-missing",
    "condition-cannot-be-waived",
    "condition-is-not-in-the-rule-set",
    "conditions-are-not-met",
    "correction-can-only-be-undone",
    "countersignature-is-missing",
    "currency-does-not-match",
    "day-has-no-rate",
    "destination-is-not-under-the-receiving-authority",
    "event-has-its-own-remedy",
    "event-is-already-corrected",
    "event-is-unknown",
    "facility-is-already-registered",
    "facility-is-full",
    "facility-is-not-the-payees",
    "facility-is-of-another-authority",
    "facility-is-under-another-schedule",
    "facility-is-unknown",
    "handover-is-unknown",
    "hold-forbids-departure",
    "hold-forbids-handover",
    "hold-forbids-move",
    "hold-forbids-release",
    "hold-is-already-placed",
    "hold-is-not-in-force",
    "hold-is-unknown",
    "identity-is-already-registered",
    "invoice-is-already-issued",
    "invoice-is-settled",
    "invoice-is-unknown",
    "no-handover-is-open",
    "nobody-confirms-their-own-act",
    "occurred-at-is-before-the-last-fact",
    "occurred-at-is-in-the-future",
    "origin-and-destination-are-the-same",
    "parties-are-not-two-states",
    "parties-are-the-same",
    "payment-is-already-recorded",
    "period-is-already-closed",
    "period-is-open",
    "person-is-already-in-custody",
    "person-is-held-by-another-authority",
    "person-is-not-held-here",
    "person-is-not-in-custody",
    "person-is-not-released",
    "proposal-has-changed",
    "rate-is-negative",
    "receiver-is-not-the-transfers-receiver",
    "release-checks-are-incomplete",
    "release-is-already-ordered",
    "release-is-already-recorded",
    "release-is-already-verified",
    "release-is-declared-erroneous",
    "release-is-not-due",
    "release-is-unknown",
    "replacement-is-missing",
    "replacement-is-of-another-kind",
    "role-is-not-held",
    "roles-conflict",
    "rule-set-is-not-allowed-by-the-agreement",
    "schedule-ends-before-it-starts",
    "schedule-is-already-proposed",
    "schedule-is-already-signed",
    "second-approval-is-missing",
    "second-approver-is-the-first",
    "series-is-taken",
    "supervision-is-missing",
    "terms-have-changed",
    "there-is-nothing-to-bill",
    "transfer-is-already-requested",
    "transfer-is-closed",
    "transfer-is-not-approved",
    "transfer-is-not-awaiting-decision",
    "transfer-is-unknown",
    "whereabouts-differ",
)
"""Refusals that come up in so many wild commands, most of them in every history."""

History = Sequence[Answered]


@cache
def played(seed: int) -> Played:
    """A long real history, and what the record says beside it."""
    return real_history(seed, COMMANDS)


def history(seed: int) -> tuple[Answered, ...]:
    """The answers of one."""
    return played(seed).answers


def real() -> tuple[Answered, ...]:
    """The one that is doctored."""
    return history(SEEDS[0])


def until(answered: Answered) -> list[Answered]:
    """What had been granted before an answer."""
    for answers in map(history, FURTHER):
        for number, item in enumerate(answers):
            if item is answered:
                return [before for before in answers[:number] if before.is_granted]
    raise LookupError(answered.key)


def without(left_out: Answered) -> list[Answered]:
    """The history as if nobody had been told of one command."""
    return [item for item in real() if item.who != left_out.who]


def first(is_meant: Callable[[Answered], bool]) -> Answered:
    """The first answer that is meant."""
    return next(item for seed in FURTHER for item in history(seed) if is_meant(item))


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
    assert judged(history(seed), played(seed).record) is None


def test_the_histories_are_rich() -> None:
    found = {item.code for seed in SEEDS for item in history(seed)}
    assert len(set(REFUSALS) & found) > len(REFUSALS) * 9 // 10


@pytest.mark.parametrize("code", REFUSALS)
def test_what_is_forbidden_must_not_be_granted(code: str) -> None:
    refused = first(lambda item: item.code == code)
    finding = judged([*until(refused), as_granted(refused)])
    assert finding is not None
    assert (finding.kind, finding.should) == ("it must not be", f"the model refuses it with {code}")
    assert finding.answered.who == refused.who


@pytest.mark.parametrize("name", ACTS)
def test_what_is_allowed_must_not_be_refused(name: str) -> None:
    answered = first(lambda item: item.is_granted and not item.replayed and item.name == name)
    finding = judged([*until(answered), as_refused(answered, "person-is-dead")])
    assert finding is not None
    assert finding.should == "the model grants it"


def of_two() -> Answered:
    """A hold on two persons at once."""
    return first(lambda item: item.name == "place-hold" and len(item.events) == 2)


def contradicting() -> Answered:
    """A presence that did not fit."""
    return first(lambda item: item.name == "report-presence" and bool(item.events and item.events[0].flags))


def failing_report() -> Answered:
    """A report of what no claim may be granted."""
    return first(lambda item: item.is_report and len(item.events[0].flags if item.events else ()) > 2)


def replacing() -> Answered:
    """A correction with a replacement."""
    return first(lambda item: item.name == "correct-fact" and len(item.events) == 2)


def without_its_last_event(answered: Answered) -> Answered:
    """The answer as if one event less had been recorded."""
    *events, _ = answered.document["events"]
    return replace(answered, document={**answered.document, "events": events, "position": events[-1]["position"]})


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
    "a report that fails no rule": (
        lambda: [*until(last := failing_report()), told_otherwise(last, flags=["out-of-order"])],
        "it told of",
    ),
    "a correction brings nothing": (
        lambda: [*until(last := replacing()), without_its_last_event(last)],
        "it told of fact-corrected",
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


def first_rewritten(name: str, at: int, **changes: Any) -> tuple[History, Record]:
    """A history up to a command of that name, whose event of that number the record has otherwise."""
    answered = granted(name)
    position = answered.events[at].position
    record = dict(played(SEEDS[0]).record)
    record[position] = Stated(record[position].recorded_at, {**record[position].body, **changes})
    return [*until(answered), answered], record


MUCH = {"minor": 10**9, "currency": "USD"}
REWRITTEN: dict[str, tuple[str, int, dict[str, Any], str]] = {
    "a day more is closed": ("close-period", 0, {"person_days": 99}, "person_days"),
    "other days are closed": ("close-period", 0, {"digest": "0" * 64}, "digest"),
    "an invoice comes to more": ("issue-invoice", 0, {"total": MUCH}, "total"),
    "a number is left out": ("issue-invoice", 0, {"number": "X-0007"}, "number"),
    "an invoice is due at another time": ("issue-invoice", 0, {"due_date": "2020-01-01"}, "due_date"),
    "another person is billed": ("issue-invoice", 1, {"person": "somebody"}, "person"),
    "days nobody spent are billed": ("issue-invoice", 1, {"ranges": []}, "ranges"),
    "a line costs more": ("issue-invoice", -1, {"amount": MUCH}, "amount"),
    "a line cites another fact": ("issue-invoice", -1, {"basis": [1]}, "basis"),
    "more is paid than was said": ("record-payment", 0, {"amount": MUCH}, "amount"),
}


@pytest.mark.parametrize(("name", "at", "changes", "said"), REWRITTEN.values(), ids=REWRITTEN)
def test_what_the_record_says_of_money_is_judged(name: str, at: int, changes: Json, said: str) -> None:
    finding = judged(*first_rewritten(name, at, **changes))
    assert finding is not None
    assert finding.kind.startswith(f"the record says {{'{said}'")


def test_a_wrong_amount_in_a_refusal_is_found() -> None:
    refused = first(lambda item: item.code == "amount-has-changed")
    other = replace(refused, document={**refused.document, "payable": {"amount": "1.23", "currency": "USD"}})
    assert judged([*until(refused), refused]) is None
    finding = judged([*until(refused), other])
    assert finding is not None
    assert finding.kind.startswith("it is right nowhere")


def test_the_time_of_the_record_is_judged() -> None:
    answered = granted("open-custody", count=3)
    record = dict(played(SEEDS[0]).record)
    stated = record[answered.events[0].position]
    before = replace(answered, sent=answered.heard)
    record[answered.events[0].position] = Stated(stated.recorded_at - timedelta(hours=1), stated.body)
    finding = judged([*until(answered), before], record)
    assert finding is not None
    late = first(lambda item: bool(item.events) and "late" in item.events[0].flags)
    in_time = told_otherwise(late, flags=sorted({*late.events[0].flags} - {"late"}))
    finding = judged([*until(late), in_time], played(SEEDS[0]).record)
    assert finding is not None
    assert finding.kind == "it is late or not"


def test_a_refusal_right_at_any_position_of_its_time_is_accepted() -> None:
    *before, request, late = stale()
    was_under_way = replace(late, seen=request.events[0].position - 1)
    assert judged([*before, request, was_under_way]) is None


def taken_in(person: str, facility: str, by: str) -> Life:
    """A person whom an authority takes, if nothing forbids it."""
    known = {"person": person, "identity_status": "established", "attributes": {}}
    yield Ask(NORTH, "register-person", known)
    yield Ask(NORTH, "record-basis", lives.sentence(person))
    yield Ask(by, "open-custody", lives.taking(person, facility))
    # Two openings of one millisecond would be one told twice.
    sleep(0.002)


LAWS: dict[str, tuple[str, tuple[str, str, str], tuple[str, str, str]]] = {
    "one person has two holders": ("person-is-already-in-custody", ("one", N1, NORTH), ("one", E1, EAST)),
    "a place holds more than it may": ("facility-is-full", ("one", E1, EAST), ("two", E1, EAST)),
}


@pytest.mark.parametrize(("kind", "law"), LAWS.items(), ids=LAWS)
def test_the_laws_hold_whatever_the_rules_say(
    kind: str, law: tuple[str, tuple[str, str, str], tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, first_taken, then = law
    *before, refused = lived(lives.registry(1, ()), taken_in(*first_taken), taken_in(*then)).answers
    assert refused.code == code
    finding = _granted_all_the_same(before, refused, monkeypatch)
    assert finding is not None
    assert finding.kind == kind


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
    meant = ("record-move-within", "person-is-held-by-another-authority")
    refused = first(lambda item: (item.name, item.code) == meant and item.position > 200)
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
    assert said[0].startswith(f"model: {refused.authority}'s record-move-within")
    assert len(said) == len(part) + 2
    assert "record-move-within" in said[-1]
