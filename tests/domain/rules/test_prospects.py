"""What may be done next: rules asked of a command that nobody has written, and never refusing what they would grant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from domain.commands import Command, DualCommand, Id, Value
from domain.events.event import Actor, Draft
from domain.names import AuthorityId, OfficerId
from domain.refusals import PersonIsUnknown, Refusal
from domain.register import Register
from domain.rules import ruling
from domain.rules.prospects import QUESTIONS_MAX, may_be_granted
from domain.rules.ruling import AnyRule, Call, Named, Rule
from domain.rules.table import RULES
from ledger.writer import batch
from tests.scene import ANN, EAST, KEEPER, N1, NORTH, Scene, accepted, approved, held, story

NO = PersonIsUnknown("x")


class Inner(Value):
    """A part with a field that may be left out."""

    word: Id
    more: Id | None = None


class Toy(Command):
    """A command about a person."""

    name: ClassVar[str] = "toy"
    person: Id
    word: Id
    own: Id | None = None
    extra: Id | None = None
    inner: Inner
    listed: tuple[Id, ...] = ()

    @property
    def worked_out(self) -> str:
        """What it says of itself, from what is known."""
        return self.person.upper()


def asked(condition: Callable[[Any], object], scene: Scene, **changes: Any) -> bool:
    """Whether a toy may be granted that is refused where the condition holds."""

    def refusals(register: Register, ask: Any, _call: Call) -> Iterator[Refusal]:
        if condition(ask):
            yield NO

    fields: dict[str, Any] = {
        "command": Toy,
        "subject": lambda _register, ask: f"person:{ask.person}",
        "roles": ("sending",),
        "names": lambda ask: [Named("person", ask.person), Named("authority", ask.word)],
        "brings": lambda ask: Named("person", ask.own),
        "refusals": refusals,
        "records": lambda _register, _ask, _call: list[Draft](),
    }
    rule: AnyRule = Rule(**{**fields, **changes})
    return may_be_granted(rule, scene.register, {"person": ANN}, call_of(NORTH))


def call_of(authority: str) -> Call:
    by = Actor(authority=AuthorityId(authority), officer=OfficerId("o-1"), credential=f"none:{authority}/o-1")
    return Call(by=by, now=datetime(2025, 3, 1, 12, tzinfo=UTC), command_id="k")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return held(story())


def forever(ask: Any) -> bool:
    while ask.word != "a":
        continue
    return True


def believed(ask: Any) -> bool:
    assert ask.word == "a", "what nobody else says"
    return True


def hard(ask: Any) -> bool:
    return any(ask.word == str(number) for number in range(QUESTIONS_MAX + 1)) or True


ROWS: dict[str, tuple[Callable[[Any], object], bool]] = {
    "nothing stands against it": (lambda _ask: False, True),
    "it is refused whatever it says": (lambda _ask: True, False),
    "what is known refuses it": (lambda ask: ask.person == ANN, False),
    "what is worked out from it refuses it": (lambda ask: ask.worked_out == ANN.upper(), False),
    "what is not known may say otherwise": (lambda ask: ask.word == "a", True),
    "either answer is refused": (lambda ask: bool(ask.word == "a") in (True, False), False),
    "two questions are two, whatever they are about": (lambda ask: ask.word == "a" or ask.word != "a", True),
    "one of four ways is open": (lambda ask: not (ask.word > "a" and "a" not in ask.listed), True),
    "what may be left out is there or not": (lambda ask: ask.extra is None, True),
    "and not there or there": (lambda ask: ask.extra is not None, True),
    "and nothing else": (lambda ask: ask.extra is None or ask.extra is not None, False),
    "what must be there is there": (lambda ask: ask.word is not None, False),
    "within a part, too": (lambda ask: ask.inner.word is not None, False),
    "and may lack there": (lambda ask: ask.inner.more is not None, True),
    "an id it brings is left out": (lambda ask: ask.own is None, False),
    "one answer for one field": (lambda ask: (ask.extra is None) != (ask.extra is None), True),
    "a list must be read": (lambda ask: list(ask.listed) or True, True),
    "a text must be read": (lambda ask: f"{ask.word}" or True, True),
    "a key must be read": (lambda ask: {}.get(ask.word, True), True),
    "a sum must be read": (lambda ask: (ask.word + 1) or True, True),
    "who asks for ever is not followed": (forever, True),
    "who asks too much is not followed": (hard, True),
    "no command goes where a rule's belief fails": (believed, False),
    "it is a claim about now": (lambda ask: ask.occurred_at is None and ask.precision is None, False),
}


@pytest.mark.parametrize("sentence", ROWS)
def test_either_way(sentence: str, scene: Scene) -> None:
    condition, may = ROWS[sentence]
    assert asked(condition, scene) is may


def test_each_stage_refuses_by_itself(scene: Scene) -> None:
    def never(_ask: Any) -> bool:
        return False

    def lacking(_register: Register, _ask: Any, _call: Call) -> Iterator[Refusal]:
        yield NO

    assert not asked(never, scene, roles=("monitor",))
    assert not asked(never, scene, roles=lambda _register, _ask: ("monitor",))
    assert not asked(never, scene, names=lambda ask: [Named("facility", ask.person)])
    assert not asked(never, scene, lacks=lacking)
    # What the names cannot tell does not hide what the rules refuse.
    assert not asked(lambda _ask: True, scene, names=lambda ask: [Named("authority", one) for one in ask.listed])
    assert asked(never, scene, scope=lambda _register, ask: ask.word, roles=("sending",))
    assert not asked(never, scene, scope=lambda _register, ask: {ask.word: ""}[ask.word], roles=("monitor",))


def test_an_id_that_is_worked_out_is_none_that_may_be_left_out(scene: Scene) -> None:
    for brings in (lambda ask: Named("person", ask.inner.word), lambda ask: Named("person", f"{ask.own}/{ask.word}")):
        assert asked(lambda ask: ask.own is not None, scene, brings=brings)
        assert asked(lambda ask: ask.own is None, scene, brings=brings)


def test_nobody_is_gone_through(scene: Scene) -> None:
    def everybody(register: Register, _ask: Any, _call: Call) -> Iterator[Refusal]:
        yield from (NO for _ in register.people())

    assert next(everybody(scene.register, None, call_of(NORTH))) is NO
    assert asked(lambda _ask: True, scene, refusals=everybody)


def test_what_is_granted_was_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever id a claim is about: known by it alone, it is among the prospects when it is granted."""
    seen: set[str] = set()

    def decide(rule: AnyRule, register: Register, ask: Any, call: Call) -> list[Draft]:
        drafts = ruling.decide(rule, register, ask, call)
        is_report = isinstance(ask, DualCommand) and ask.mode == "report"
        for name in () if is_report else ("person", "transfer", "handover", "agreement", "facility", "authority"):
            field = type(ask).model_fields.get(name)
            if field is not None and field.is_required():
                known = {name: getattr(ask, name)}
                assert may_be_granted(rule, register, known, call), (rule.command.name, known)
                seen.add(rule.command.name)
        return drafts

    monkeypatch.setattr(batch, "decide", decide)
    accepted(approved(held(story()).at("2025-03-01T12:00:00Z")))
    assert seen >= {"record-basis", "open-custody", "sign-agreement", "evidence-condition", "accept-handover"}


def test_what_nobody_knows_may_nothing_and_is_open_to_nobody(scene: Scene) -> None:
    rule = RULES["set-authority-roles"]
    assert may_be_granted(rule, scene.register, {"authority": EAST}, call_of(KEEPER))
    assert not may_be_granted(rule, scene.register, {"authority": EAST}, call_of("nobody"))
    certify = RULES["certify-capacity"]
    assert may_be_granted(certify, scene.register, {"facility": N1}, call_of(NORTH))
    assert not may_be_granted(certify, scene.register, {"facility": "nowhere"}, call_of(NORTH))
