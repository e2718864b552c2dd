"""What FastAPI says about a query or a path, as the refusal it is: places are named, values are not."""

from __future__ import annotations

from fastapi.exceptions import RequestValidationError

from domain.commands import edge_refusal
from domain.refusals import Refusal


def refusal_of(error: RequestValidationError) -> Refusal:
    """The edge refusal; the first part of each place says only whether it was in the query or the path."""
    return edge_refusal([(item["type"], item["loc"][1:]) for item in error.errors()])
