"""Requests that meet in one batch, in one key, at one end: each gets its own answer and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from domain.refusals import (
    EventIsTooLarge,
    IdempotencyKeyWasUsedForAnotherBody,
    PersonIsUnknown,
)
from domain.rules.people.person import IdentityIsAlreadyRegistered
from ledger.genesis import LedgerExists, open_epoch
from ledger.store import DatabaseUnreachable, PositionTaken
from ledger.store.log import EventLog, Step
from ledger.writer.submission import Answer, Group, Outcome, Refused, Submission, Withheld
from ledger.writer.writer import GROUPS_WAITING_MAX, LedgerIsBusy, LedgerIsClosed, Writer
from tests.ledger.writer.stage import PATIENCE, memory_equals_disk, opened, person, registering
from tests.scene import (
    ANN,
    KEEPER,
    N1,
    N2,
    NORTH,
    START,
    Scene,
    accepted,
    agreement,
    approved,
    at,
    held,
    opening,
    registered,
    registry,
)


@pytest.fixture
def scene(database_url: str) -> Iterator[Scene]:
    """The registry, and nobody in it yet."""
    with opened(database_url) as log:
        yield registry(Scene(log))


def told(outcomes: Sequence[Sequence[Outcome]]) -> list[list[object]]:
    """What became of each: `new` or `again`, the kind of the refusal, or `withheld`."""
    return [[_told(outcome) for outcome in of_group] for of_group in outcomes]


def _told(outcome: Outcome) -> object:
    if isinstance(outcome, Answer):
        return "again" if outcome.replayed else "new"
    return type(outcome.refusal) if isinstance(outcome, Refused) else "withheld"


def nobody(scene: Scene, key: str) -> Group:
    """A request that is refused: its person is unknown."""
    fields: dict[str, Any] = {"person": "nobody", "place": "x", "since": START, "how": "seen", "occurred_at": START}
    return Group(submissions=(scene.ask(NORTH, "report-presence", key=key, **fields),))


def together(*groups: Group) -> Group:
    """All these requests as one atomic one."""
    return Group(submissions=tuple(item for group in groups for item in group.submissions), atomic=True)


USED = IdempotencyKeyWasUsedForAnotherBody


def test_one_key_many_times_in_one_batch(scene: Scene) -> None:
    head = scene.log.head()
    same, other = registering(scene, "p-1", "k"), registering(scene, "p-2", "k")
    outcomes = scene.writer.commit([same, other, same, together(same, registering(scene, "p-3", "k3"))])
    assert told(outcomes) == [["new"], [USED], ["again"], ["again", "new"]]
    assert scene.log.head() == head + 2
    assert told(scene.writer.commit([other, same])) == [[USED], ["again"]]
    memory_equals_disk(scene)


def test_a_key_of_an_atomic_group_that_was_refused_is_free(scene: Scene) -> None:
    head = scene.log.head()
    groups = [
        together(registering(scene, "p-1", "k"), nobody(scene, "n")),
        together(registering(scene, "p-2", "k"), registering(scene, "p-1", "l")),
        together(registering(scene, "p-3", "k")),
    ]
    outcomes = scene.writer.commit(groups)
    assert told(outcomes) == [["withheld", PersonIsUnknown], ["new", "new"], [USED]]
    assert isinstance(outcomes[0][0], Withheld)
    assert [row.position for row in scene.log.read(head, 10)] == [head + 1, head + 2]
    memory_equals_disk(scene)


def test_what_a_refused_group_would_have_changed_is_nowhere_seen(database_url: str) -> None:
    with opened(database_url) as log:
        scene = registry(Scene(log))
        opens, moved = {}, {}
        for one in (ANN, "p-bo"):
            registered(scene, one)
            fields: dict[str, Any] = {"person": one, **opening(N1, one), "occurred_at": "2025-02-01T10:00:00+01:00"}
            opens[one] = scene.ask(NORTH, "open-custody", **fields)
            fields = {"person": one, "from_facility": N1, "to_facility": N2, "reason": "population"}
            moved[one] = scene.ask(NORTH, "record-move-within", **fields, occurred_at="2025-02-02T09:00:00+01:00")
        (bad,) = nobody(scene, "n").submissions
        outcomes = scene.writer.commit(
            [
                Group(submissions=(opens[ANN], moved[ANN], bad), atomic=True),
                Group(submissions=(moved[ANN],)),
                Group(submissions=(opens["p-bo"], moved["p-bo"]), atomic=True),
                Group(submissions=(opens[ANN],)),
            ]
        )
        assert [[isinstance(item, Answer) for item in group] for group in outcomes] == [
            [False, False, False],
            [False],
            [True, True],
            [True],
        ]
        assert (list(scene.register.held_at(N1)), list(scene.register.held_at(N2))) == ([ANN], ["p-bo"])
        memory_equals_disk(scene)
        assert Writer(log).register.position == log.head()


def test_an_event_that_is_too_large_is_refused_alone(scene: Scene) -> None:
    head = scene.log.head()
    attributes = {f"field_{number}": "sha256:" + "a" * 64 for number in range(200)}
    large = registering(scene, "p-large", "large", attributes=attributes)
    ok = [registering(scene, f"p-{n}", f"k{n}") for n in range(4)]
    outcomes = scene.writer.commit([ok[0], large, ok[1], together(ok[2], large), ok[3]])
    assert told(outcomes) == [["new"], [EventIsTooLarge], ["new"], ["withheld", EventIsTooLarge], ["new"]]
    assert [row.position for row in scene.log.read(head, 10)] == [head + 1, head + 2, head + 3]
    memory_equals_disk(scene)


def test_a_text_that_looks_like_a_place_for_an_id_stays_a_text(scene: Scene) -> None:
    for text in ("?authority", "?next-event", "authority"):
        answer = scene.do(KEEPER, "register-authority", state="NO", legal_name=text, outside_register=False)
        [event] = answer.events
        assert getattr(event.body, "legal_name", None) == text
        assert event.stream.startswith("authority:00000000-")
    memory_equals_disk(scene)


def test_the_record_never_goes_back_in_time(database_url: str) -> None:
    with opened(database_url) as log:
        scene = registry(Scene(log))
        for id_, now in (("p-1", "2025-03-02T00:00:00Z"), ("p-2", "2025-03-01T00:00:00Z")):
            scene.at(now).do(NORTH, "register-person", **person(id_, occurred_at="2025-02-01T00:00:00Z"))
        again = Scene(log, now="2025-02-28T00:00:00Z", first_id=100_000)
        batch = [registering(again, f"p-{n}", f"k{n}", occurred_at="2025-02-01T00:00:00Z") for n in (3, 4)]
        assert told(again.writer.commit([batch[0], together(batch[1])])) == [["new"], ["new"]]
        assert [event.recorded_at for event in again.events()][-4:] == [at("2025-03-02T00:00:00Z")] * 4
        later = again.at("2025-03-02T00:00:00Z").later(seconds=1)
        event = later.do(NORTH, "register-person", **person("p-5")).events[0]
        assert event.recorded_at == at("2025-03-02T00:00:00Z") + timedelta(seconds=1)
        memory_equals_disk(again)


def test_a_fault_of_ours_fails_its_own_request_only(scene: Scene) -> None:
    """A rule that breaks on one command must not let anybody's command stop everybody else's."""
    writer = Writer(scene.log, scene.sources)
    groups = [registering(scene, f"p-{n}", f"k{n}") for n in range(9)]
    (broken,) = groups[4].submissions
    # What no parsed command is: without the field that the rule reads.
    broken.ask.__dict__.pop("person")
    futures = [writer.submit(group) for group in groups]
    writer.start(follow=False)
    assert isinstance(futures.pop(4).exception(PATIENCE), AttributeError)
    assert told([future.result(PATIENCE) for future in futures]) == [["new"]] * 8
    writer.close()
    memory_equals_disk(scene, writer.register)


def test_two_processes_under_the_same_keys(postgresql_url: str) -> None:
    """Both hand in the same commands at once: each is recorded once, and both are told of the same events."""
    with opened(postgresql_url) as log, opened(postgresql_url) as other:
        scenes = [registry(Scene(log)), Scene(other, first_id=10_000)]
        writers = [Writer(one.log, one.sources) for one in scenes]
        before = log.head()
        futures = [
            [writer.submit(registering(scene, f"p-{n}", f"k{n}")) for n in range(100)]
            + [writer.submit(registering(scene, f"q-{scenes.index(scene)}-{n}", f"l{n}")) for n in range(100)]
            for scene, writer in zip(scenes, writers, strict=True)
        ]
        for writer in writers:
            writer.start(follow=False)
        answers = [[future.result(PATIENCE)[0] for future in of_writer] for of_writer in futures]
        for writer in writers:
            writer.close()
        for one, two in zip(*(of_writer[:100] for of_writer in answers), strict=True):
            assert isinstance(one, Answer)
            assert isinstance(two, Answer)
            assert (one.events, one.replayed) == (two.events, not two.replayed)
        for pair in zip(*(of_writer[100:] for of_writer in answers), strict=True):
            assert {_told(item) for item in pair} == {"new", USED}
        assert log.head() == before + 200
        for writer in writers:
            writer._catch_up()
            memory_equals_disk(scenes[0], writer.register)


def test_who_is_always_beaten_is_told_to_come_back(scene: Scene) -> None:
    def beaten(step: Step) -> None:
        if step == "before":
            raise PositionTaken(scene.log.head() + 1)

    scene.log.fault = beaten
    with pytest.raises(LedgerIsBusy):
        scene.writer.commit([registering(scene, ANN, "k")])
    memory_equals_disk(scene)
    scene.log.fault = None
    assert told(scene.writer.commit([registering(scene, ANN, "k")])) == [["new"]]


def test_the_queue_has_an_end_and_closing_answers_all_of_it(scene: Scene) -> None:
    writer = Writer(scene.log, scene.sources)
    futures = [writer.submit(registering(scene, f"p-{n % 500}", f"k{n % 500}")) for n in range(GROUPS_WAITING_MAX)]
    with pytest.raises(LedgerIsBusy):
        writer.submit(registering(scene, "p-more", "more"))
    writer.start(follow=False)
    writer.close()
    assert all(future.done() for future in futures)
    assert sum(told([future.result()]) == [["new"]] for future in futures) == 500
    with pytest.raises(LedgerIsClosed):
        writer.submit(registering(scene, "p-late", "late"))
    memory_equals_disk(scene, writer.register)


def test_who_goes_away_before_the_decision_is_not_decided(scene: Scene) -> None:
    writer = Writer(scene.log, scene.sources)
    futures = [writer.submit(registering(scene, f"p-{n}", f"k{n}")) for n in range(3)]
    assert futures[1].cancel()
    writer.start(follow=False)
    writer.close()
    assert told([futures[0].result(), futures[2].result()]) == [["new"], ["new"]]
    assert scene.register.person("p-1") is None
    memory_equals_disk(scene, writer.register)


def test_a_ledger_is_opened_once_also_by_two_at_the_same_time(postgresql_url: str) -> None:
    def first(log: EventLog, officer: str) -> None:
        open_epoch(log, origin="ledger.example/custody/1", registrar=KEEPER, state="NO", officer=officer)

    with opened(postgresql_url) as log, opened(postgresql_url) as other:
        log.fault = lambda step: first(other, "k-2") if step == "before" else None
        with pytest.raises(LedgerExists):
            first(log, "k-1")
        assert log.head() == 3
        assert Scene(log).events()[0].actor.officer == "k-2"


def test_a_refusal_is_judged_on_what_the_batch_before_it_did(scene: Scene) -> None:
    """Nobody is refused for the sake of a command that was not recorded."""

    def gone(step: Step) -> None:
        if step == "before-commit":
            raise DatabaseUnreachable("gone", "staged")

    taken = registering(scene, ANN, "other", identity_status="claimed")
    scene.log.fault = gone
    with pytest.raises(DatabaseUnreachable):
        scene.writer.commit([registering(scene, ANN, "k"), taken])
    scene.log.fault = None
    assert told(scene.writer.commit([taken])) == [["new"]]
    refused = scene.refusal(NORTH, "register-person", key="k", **person(ANN))
    assert type(refused) is IdentityIsAlreadyRegistered


class Listening(Scene):
    """A scene that keeps every command it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Submission] = []

    def ask(self, *asked: Any, **data: Any) -> Submission:
        """Keep the command and hand it on."""
        self.asked.append(super().ask(*asked, **data))
        return self.asked[-1]


def test_a_whole_story_in_one_atomic_group_is_recorded_byte_for_byte_as_told_step_by_step() -> None:
    """Each command sees what those before it in its group did, two registers deep."""
    step_by_step, at_once = Listening(), Scene()
    accepted(approved(held(agreement(registry(step_by_step)))))
    (outcomes,) = at_once.writer.commit([Group(submissions=tuple(step_by_step.asked), atomic=True)])
    assert {_told(outcome) for outcome in outcomes} == {"new"}
    assert at_once.log.read(0, 1_000) == step_by_step.log.read(0, 1_000)
    memory_equals_disk(at_once)
    assert at_once.register._files == step_by_step.register._files
