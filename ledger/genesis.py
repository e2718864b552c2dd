"""The first commit of a ledger: its epoch, and the registrar with its role, recorded unjudged (DESIGN §2.4)."""

from __future__ import annotations

from datetime import UTC, datetime

from domain.events.authority import AuthorityRegistered, AuthorityRolesSet, Role
from domain.events.epoch import EpochOpened
from domain.events.event import Actor, Draft
from domain.names import AuthorityId, OfficerId, StateCode
from domain.register import Register
from domain.rules.registry import RegisterAuthority
from domain.rules.table import RULES
from ledger.sources import Sources
from ledger.store.log import EventLog, PositionTaken, Remembered
from ledger.writer.stamp import stamp
from ledger.writer.submission import submission


class LedgerExists(Exception):
    """The log is not empty: it has its first commit already."""


def open_epoch(
    log: EventLog, *, origin: str, registrar: str, state: str, officer: str, sources: Sources | None = None
) -> None:
    """Record positions 1 to 3: the epoch of `origin` (`HOST/custody/EPOCH`), the registrar, its role.

    Raises `LedgerExists` for a log that is not empty, also if it was until somebody else was first.
    """
    if log.head():
        raise LedgerExists
    sources = sources if sources is not None else Sources()
    now = sources.now()
    register = Register()
    by = Actor(authority=AuthorityId(registrar), credential="init", officer=OfficerId(officer))
    rule = RULES[RegisterAuthority.name]
    ask = RegisterAuthority.model_construct(authority=registrar)
    rows, remembered = [], []
    for number, draft in enumerate(_first(origin, registrar, state, now), start=1):
        item = submission(rule, ask, by=by, key=f"init-{number}")
        ((row, event),) = stamp([draft], item, now, register, sources)
        register.evolve(event)
        rows.append(row)
        remembered.append(Remembered(registrar, item.key, item.command_hash, row.position, 1))
    try:
        log.append(rows, remembered)
    except PositionTaken as taken:
        raise LedgerExists from taken


def _first(origin: str, registrar: str, state: str, now: datetime) -> list[Draft]:
    home = f"authority:{registrar}"
    return [
        Draft(
            stream=f"epoch:{origin.rpartition('/')[2]}",
            body=EpochOpened(first_position=1, leaf_format=1, lost=None, origin=origin, previous=None),
        ),
        Draft(
            stream=home,
            body=AuthorityRegistered(
                authority=AuthorityId(registrar),
                state=StateCode(state),
                legal_name=registrar,
                outside_register=False,
                flags=(),
            ),
        ),
        Draft(
            stream=home,
            body=AuthorityRolesSet(roles=(Role(role="registrar", from_=now.astimezone(UTC).date()),), flags=()),
        ),
    ]
