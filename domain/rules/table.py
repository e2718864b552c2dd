"""Every act by its wire name."""

from __future__ import annotations

from types import ModuleType

from domain.rules import (
    agreement,
    approval,
    closing,
    correction,
    custody,
    fee_schedule,
    handover,
    hold,
    invoicing,
    payment,
    person,
    registry,
    release,
    transfer,
)
from domain.rules.ruling import AnyRule

MODULES: tuple[ModuleType, ...] = (
    registry,
    agreement,
    fee_schedule,
    person,
    hold,
    transfer,
    approval,
    handover,
    custody,
    release,
    correction,
    closing,
    invoicing,
    payment,
)

RULES: dict[str, AnyRule] = {rule.command.name: rule for module in MODULES for rule in module.RULES}
"""Wire name of a command → its act, in the order of the subjects."""
