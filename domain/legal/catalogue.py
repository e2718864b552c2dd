"""The legal bases an agreement may name, and what each fixes before any transfer is asked for (DOMAIN §5.3).

Here stands only what drafting needs. An agreement can be drafted and signed under every one of them; whether a
transfer may cite a set is decided where its conditions are judged.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from domain.iso3166 import STATES_OF_THE_UNION
from domain.terms import Side

COMPACT = "us-interstate-corrections-compact"
CONTRACT = "custody-contract"
US_TRANSFER_ACT = "us-18-usc-4100"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasis:
    """One set as an agreement lists it.

    `responsibility_after` is the side that answers after a handover where the text fixes it, `None` where the parties
    agree on it. `implied` marks those that hold without being listed, and so cannot be listed.
    """

    code: str
    allows_fees: bool
    responsibility_after: Side | None = None
    needs_consent: bool = False
    consent_final_at: str | None = None
    is_treaty: bool = False
    implied: bool = False


CATALOGUE: dict[str, LegalBasis] = {
    basis.code: basis
    for basis in (
        LegalBasis(code="agreement-terms", allows_fees=True, implied=True),
        LegalBasis(
            code="ets-112", allows_fees=False, responsibility_after="receiving", needs_consent=True, is_treaty=True
        ),
        LegalBasis(
            code="oas-a57", allows_fees=False, responsibility_after="receiving", needs_consent=True, is_treaty=True
        ),
        LegalBasis(
            code="un-model-1985",
            allows_fees=False,
            responsibility_after="receiving",
            needs_consent=True,
            is_treaty=True,
        ),
        LegalBasis(
            code=US_TRANSFER_ACT,
            allows_fees=False,
            responsibility_after="receiving",
            needs_consent=True,
            consent_final_at="verification",
        ),
        LegalBasis(code=COMPACT, allows_fees=True, responsibility_after="sending"),
        LegalBasis(code=CONTRACT, allows_fees=True),
        LegalBasis(code="non-refoulement", allows_fees=True, implied=True),
    )
}
"""Code → set, in the order in which sets are always told."""


def may_be_listed_together(codes: Collection[str], states: Collection[str]) -> bool:
    """Whether an agreement between those two States may list those sets; all must be in the catalogue.

    Treaties stand together, with the statute of the United States where these are a party. The Compact stands alone,
    between States of the Union or one of them and the United States; so does the contract.
    """
    listed = [CATALOGUE[code] for code in codes]
    if any(basis.implied for basis in listed) or len(set(codes)) != len(codes):
        return False
    if COMPACT in codes:
        return len(listed) == 1 and all(state in {"US", *STATES_OF_THE_UNION} for state in states)
    if CONTRACT in codes:
        return len(listed) == 1
    if US_TRANSFER_ACT in codes and "US" not in states:
        return False
    return not listed or any(basis.is_treaty for basis in listed)
