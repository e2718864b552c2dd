"""Every act by its wire name."""

from __future__ import annotations

from domain.rules import correction
from domain.rules.acts import BILLED, PERSONAL, REGISTERED_AND_AGREED
from domain.rules.ruling import AnyRule

RULES: dict[str, AnyRule] = {
    rule.command.name: rule
    for module in (*REGISTERED_AND_AGREED, *PERSONAL, correction, *BILLED)
    for rule in module.RULES
}
"""Wire name of a command → its act, in the order of the subjects."""
