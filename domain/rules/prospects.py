"""What an actor may do next, before anybody has written the command: asked of the rules themselves.

A command is judged of which no more is known than what it is about, and that it is a claim about now. Whatever a rule
asks of the rest may be answered either way, so each way is gone. Where every one of them ends in a refusal, the command
is refused whatever it says; else some body may be granted, as far as can be seen. That is no promise: a rule that must
read the body to go on is not followed beyond it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn, get_args

import msgspec
from pydantic import BaseModel

from domain.commands import DatedCommand, DualCommand
from domain.known import Key
from domain.names import AuthorityId
from domain.refusals import Refusal, RoleIsNotHeld
from domain.register import Register
from domain.rules.ruling import AnyRule, Call, before_the_last_fact, role_is_held, unknown

WAYS_MAX: Final = 128
"""Ways gone for one command; where there are more, it may be granted."""
QUESTIONS_MAX: Final = 32
"""Questions answered on one way: a rule that asks on and on reads something that must be written first."""


class BodyMatters(Exception):
    """A rule reads what only the command itself can say."""


NEEDS_A_BODY: Final = (
    BodyMatters,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    msgspec.MsgspecError,
)
"""What a rule raises that goes on with a value nobody has written: it cannot be followed any further."""


class _Way:
    """The answers given on one way through the rules; those not settled beforehand are *yes*."""

    def __init__(self, settled: list[bool]) -> None:
        self._answers = settled
        self._asked = 0

    def answer(self) -> bool:
        """The answer to the next question."""
        if self._asked == QUESTIONS_MAX:
            raise BodyMatters
        if self._asked == len(self._answers):
            self._answers.append(True)
        self._asked += 1
        return self._answers[self._asked - 1]

    def turned(self) -> list[bool]:
        """The beginning of the next way: the last *yes* becomes a *no*; empty when every way has been gone."""
        answers = self._answers[: self._asked]
        while answers and not answers[-1]:
            answers.pop()
        return [*answers[:-1], False] if answers else []


class Unwritten:
    """A value of a body that nobody has written: it is compared either way, and cannot be read.

    `_kind` is its model, if it has one: a field that may be left out is there or not, either way.
    """

    def __init__(self, way: _Way, kind: type[BaseModel] | None = None) -> None:
        self._way, self._kind = way, kind

    def __getattr__(self, name: str) -> Any:
        field = self._kind.model_fields.get(name) if self._kind is not None else None
        may_lack = field is not None and not field.is_required() and field.default is None
        model = _model_in(field.annotation) if field is not None else None
        value = None if may_lack and self._way.answer() else Unwritten(self._way, model)
        self.__dict__[name] = value
        return value

    def __call__(self, *_arguments: object) -> Unwritten:
        return self

    def _either(self, *_other: object) -> bool:
        return self._way.answer()

    def _unread(self) -> NoReturn:
        raise BodyMatters

    __bool__ = __contains__ = __lt__ = __le__ = __gt__ = __ge__ = _either
    __eq__ = __ne__ = _either
    __iter__ = __len__ = __str__ = __int__ = __index__ = _unread
    __hash__ = _unread


class _Ask(Unwritten):
    """A whole command of which these fields are known; what it works out from its fields, it works out."""

    def __init__(self, way: _Way, rule: AnyRule, known: Mapping[str, object]) -> None:
        super().__init__(way, rule.command)
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        assert self._kind is not None, "a command is a model"
        if name in self._kind.model_fields:
            return super().__getattr__(name)
        found = getattr(self._kind, name)
        return found.__get__(self) if hasattr(found, "__get__") else found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation names, by itself or as something that may be left out."""
    found = (one for one in (annotation, *get_args(annotation)) if isinstance(one, type) and issubclass(one, BaseModel))
    return next(found, None)


class _Glance(Register):
    """A register that can be asked about what is unwritten.

    It names nobody: going through everybody at a place or under an agreement is too much for a hint.
    """

    def knows(self, kind: str, id_: str) -> bool:
        """Whether the id is known, either way where it is unwritten."""
        return bool(id_) if isinstance(id_, Unwritten) else super().knows(kind, id_)

    def answers_for(self, actor: AuthorityId, custodian: AuthorityId) -> bool:
        """Whether one runs the other, either way where one is unwritten."""
        for one in (actor, custodian):
            if isinstance(one, Unwritten):
                return bool(one)
        return super().answers_for(actor, custodian)

    def _member_ids(self, _key: Key) -> Iterator[str]:
        raise BodyMatters


class _Names:
    """A command whose every field says its own name."""

    def __getattr__(self, name: str) -> str:
        return name


def may_be_granted(rule: AnyRule, register: Register, known: Mapping[str, str], call: Call) -> bool:
    """Whether, as far as can be seen, some command with these fields might be granted to the actor of `call` now."""
    glance, fields, settled = _Glance(register), _fields(rule, known, call), list[bool]()
    for _ in range(WAYS_MAX):
        way = _Way(settled)
        if not _is_refused(rule, glance, _Ask(way, rule, fields), call):
            return True
        settled = way.turned()
        if not settled:
            return False
    return True


def _fields(rule: AnyRule, known: Mapping[str, str], call: Call) -> dict[str, object]:
    """What is known of the command beside what it is about; an id that it may bring is left to the ledger."""
    command = rule.command
    fields: dict[str, object] = {**known, "precision": None}
    fields["occurred_at"] = call.now if issubclass(command, DatedCommand) else None
    if issubclass(command, DualCommand):
        fields |= {"mode": "claim", "inferred": None}
    brought = _brought(rule)
    if brought is not None and brought not in known:
        fields[brought] = None
    return fields


def _brought(rule: AnyRule) -> str | None:
    """The field with the id that a command may bring, or leave to the ledger."""
    try:
        named = rule.brings(_Names())
    except NEEDS_A_BODY:
        return None
    field = rule.command.model_fields.get(named.id_) if named is not None else None
    return named.id_ if named is not None and field is not None and not field.is_required() else None


def _is_refused(rule: AnyRule, register: Register, ask: Any, call: Call) -> bool:
    """Whether one of the stages of a judgement refuses it; each stands for itself."""
    for stage in (_no_role, _unknown_ids, _refused_early, _refused):
        try:
            if next(stage(rule, register, ask, call), None) is not None:
                return True
        except AssertionError:
            # What a rule relies on does not hold on this way, so no command goes it.
            return True
        except NEEDS_A_BODY:
            continue
    return False


def _no_role(rule: AnyRule, register: Register, ask: Any, call: Call) -> Iterator[Refusal]:
    """A role asked for under an agreement that nobody has named is one held under any."""
    authority = register.authority(call.by.authority)
    roles = rule.roles if isinstance(rule.roles, tuple) else ()
    is_held = authority is not None and any(authority.holds_anywhere(role, call.today) for role in roles)
    if (roles and not is_held) or not role_is_held(rule, register, ask, call):
        yield RoleIsNotHeld(call.by.authority, roles)


def _unknown_ids(rule: AnyRule, register: Register, ask: Any, call: Call) -> Iterator[Refusal]:
    for named in rule.names(ask):
        if not (isinstance(named.id_, Unwritten) or isinstance(named.scope, Unwritten)):
            yield from unknown(register, [named], call.by.authority)
    yield from rule.lacks(register, ask, call)


def _refused_early(rule: AnyRule, register: Register, ask: Any, _call: Call) -> Iterator[Refusal]:
    found = before_the_last_fact(rule, register, ask) if rule.timed else None
    if found is not None:
        yield found


def _refused(rule: AnyRule, register: Register, ask: Any, call: Call) -> Iterator[Refusal]:
    yield from rule.refusals(register, ask, call)
