"""Why somebody says no: the closed lists of reasons, and the one that needs words beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from domain.commands import code_list

Rejection = Annotated[
    str,
    code_list(
        "no-space",
        "no-transport",
        "ineligible-person",
        "papers-incomplete",
        "no-basis",
        "court-hold",
        "medically-unfit",
        "more-information-needed",
        "other",
    ),
]
Cancellation = Annotated[
    str,
    code_list(
        "made-in-error",
        "duplicate",
        "no-longer-needed",
        "person-refused",
        "medical",
        "court-hold",
        "no-space",
        "no-transport",
        "papers-incomplete",
        "agreement-ended",
        "other",
    ),
]
HandoverRefusal = Annotated[
    str,
    code_list(
        "not-on-manifest",
        "identity-mismatch",
        "ineligible-nationality",
        "ineligible-sex",
        "ineligible-offence",
        "ineligible-age",
        "unfit",
        "papers-missing",
        "no-space",
        "basis-missing",
        "other",
    ),
]


def _one_at_least(reasons: tuple[str, ...]) -> tuple[str, ...]:
    # Not a least length of the field: a code that is not listed would then count as one too few.
    if not reasons:
        raise PydanticCustomError("reasons", "at least one reason is given")
    return reasons


HandoverRefusals = Annotated[tuple[HandoverRefusal, ...], AfterValidator(_one_at_least)]
Fault = Annotated[str, code_list("sending", "escort", "receiving", "none", "investigation")]


def explain(reasons: Sequence[str], explanation: str | None) -> None:
    """Hold a command to the rule that `other` is never given without a sealed explanation; raises at the edge."""
    if "other" in reasons and explanation is None:
        raise PydanticCustomError("explanation", "other needs an explanation")
