"""Which problems a command can be answered with, read from the code of its rules.

A refusal that a rule's functions name, at any depth within the domain, is one the command may meet. The list is
complete, and may hold one too many where functions are shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, partial
from types import CodeType, FunctionType, ModuleType
from typing import Final

from domain.refusals import Refusal, every_refusal
from domain.rules.table import RULES

AT_THE_GATE: Final = (
    "body-is-malformed",
    "body-is-too-large",
    "media-type-is-not-supported",
    "code-is-not-listed",
    "time-has-no-offset",
    "actor-is-unknown",
    "idempotency-key-is-missing",
    "idempotency-key-was-used-for-another-body",
)
BEFORE_EVERY_RULE: Final = ("role-is-not-held", "occurred-at-is-in-the-future", "version-has-moved")
OF_THE_SERVICE: Final = (
    "event-is-too-large",
    "host-is-not-trusted",
    "ledger-is-busy",
    "ledger-is-read-only",
    "database-is-unreachable",
    "internal-error",
)
OF_MONEY: Final = (
    "amount-is-not-text",
    "amount-is-too-precise",
    "amount-is-malformed",
    "currency-is-unknown",
    "amount-is-out-of-range",
)
OF_A_BATCH: Final = (
    "body-is-malformed",
    "body-is-too-large",
    "media-type-is-not-supported",
    "actor-is-unknown",
    "host-is-not-trusted",
    "ledger-is-busy",
    "ledger-is-read-only",
    "database-is-unreachable",
    "internal-error",
)


@cache
def codes_of(name: str) -> tuple[str, ...]:
    """Every code the command of that wire name may be answered with, the ledger's own first."""
    rule = RULES[name]
    known_codes = {kind.code for kind in every_refusal()}
    judging = [*_reached(rule.refusals), *_reached(rule.lacks), *_reached(rule.records)]
    found = {kind.code for function in judging for kind in _refusals_in(function)}
    naming = [*_reached(rule.names), *_reached(rule.lacks)]
    found |= {code for function in naming for code in _unknown_ids(function) if code in known_codes}
    if rule.timed:
        found.add("occurred-at-is-before-the-last-fact")
    money = OF_MONEY if _speaks_of_money(rule.command.model_json_schema()) else ()
    known = dict.fromkeys((*AT_THE_GATE, *money, *BEFORE_EVERY_RULE, *OF_THE_SERVICE))
    return tuple(dict.fromkeys((*known, *sorted(found))))


def _speaks_of_money(schema: object) -> bool:
    if isinstance(schema, dict):
        return not {"amount", "currency", "rate"}.isdisjoint(schema) or any(map(_speaks_of_money, schema.values()))
    return isinstance(schema, list) and any(map(_speaks_of_money, schema))


def _reached(function: object, seen: set[object] | None = None) -> Iterator[FunctionType]:
    """A function of the domain and all it calls, by the names in their code."""
    seen = set() if seen is None else seen
    if isinstance(function, partial):
        yield from _reached(function.func, seen)
    if not isinstance(function, FunctionType) or function in seen or not function.__module__.startswith("domain."):
        return
    seen.add(function)
    yield function
    for value in _values(function):
        yield from _reached(value, seen)


def _refusals_in(function: FunctionType) -> Iterator[type[Refusal]]:
    for value in _values(function):
        if isinstance(value, type) and issubclass(value, Refusal) and value is not Refusal:
            yield value


def _values(function: FunctionType) -> Iterator[object]:
    """What a function's names stand for: those of its module, of modules it names, and what it has closed over."""
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    values = [function.__globals__.get(name) for name in names]
    values += [cell.cell_contents for cell in function.__closure__ or ()]
    for value in values:
        if isinstance(value, ModuleType) and value.__name__.startswith("domain."):
            yield from (vars(value).get(name) for name in names)
        yield from _parts(value)


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, tuple | list) else (value,)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _unknown_ids(function: FunctionType) -> set[str]:
    """The `…-is-unknown` of each kind of id that a function writes down."""
    kinds = {const for code in _codes(function.__code__) for const in code.co_consts if isinstance(const, str)}
    kinds |= {"agreement"} if "revision" in kinds else set()
    return {f"{kind}-is-unknown" for kind in kinds}
