"""Where each command is sent: every POST address of the service that records something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "/v1"
BATCH: Final = "/v1/commands"

ROUTES: Final[Mapping[str, str]] = {
    "/authorities": "register-authority",
    "/authorities/{authority}/roles": "set-authority-roles",
    "/facilities": "register-facility",
    "/facilities/{facility}/capacity": "certify-capacity",
    "/facilities/{facility}/regime": "set-facility-regime",
    "/agreements": "draft-agreement",
    "/agreements/{agreement}/revisions": "draft-agreement",
    "/agreements/{agreement}/signatures": "sign-agreement",
    "/agreements/{agreement}/fee-schedules": "propose-fee-schedule",
    "/agreements/{agreement}/fee-schedules/{schedule}/signatures": "sign-fee-schedule",
    "/agreements/{agreement}/closed-periods": "close-period",
    "/people": "register-person",
    "/people/{person}/bases": "record-basis",
    "/people/{person}/release-dates": "set-release-date",
    "/people/{person}/custody": "open-custody",
    "/people/{person}/moves": "record-move-within",
    "/people/{person}/presences": "report-presence",
    "/people/{person}/release-orders": "order-release",
    "/people/{person}/releases": "record-release",
    "/people/{person}/releases/{release}/verification": "verify-release",
    "/people/{person}/releases/{release}/error": "declare-release-erroneous",
    "/holds": "place-hold",
    "/holds/{hold}/lifting": "lift-hold",
    "/transfers": "request-transfer",
    "/transfers/{transfer}/conditions": "evidence-condition",
    "/transfers/{transfer}/approvals": "approve-transfer",
    "/transfers/{transfer}/rejection": "reject-transfer",
    "/transfers/{transfer}/cancellation": "cancel-transfer",
    "/handovers": "offer-handover",
    "/handovers/{handover}/acceptance": "accept-handover",
    "/handovers/{handover}/refusal": "refuse-handover",
    "/corrections": "correct-fact",
    "/invoices": "issue-invoice",
    "/invoices/{number}/approvals": "approve-invoice",
    "/payments": "record-payment",
}
"""Path below `/v1` → wire name of the command. A name in braces is a field of the command."""

_SEGMENTS = [(tuple(path.split("/")[1:]), name) for path, name in ROUTES.items()]


def match(path: str) -> tuple[str, dict[str, str]] | None:
    """The command an address stands for, and the fields the address holds; `None` for an address that has none."""
    if not path.startswith(PREFIX + "/"):
        return None
    parts = path[len(PREFIX) + 1 :].split("/")
    for segments, name in _SEGMENTS:
        if len(segments) == len(parts) and all(
            segment == part or (segment[0] == "{" and part) for segment, part in zip(segments, parts, strict=True)
        ):
            fields = {segment[1:-1]: part for segment, part in zip(segments, parts, strict=True) if segment[0] == "{"}
            return name, fields
    return None
