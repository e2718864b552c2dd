"""Where each command is sent: every POST address of the service that records something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "/v1"
BATCH: Final = "/v1/commands"
IN_SCOPE: Final = "custody.command"
"""Where the scope of a request says which command it is, by wire name."""

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


@dataclass(slots=True)
class _Place:
    """A place that addresses go through: by a word to the next one, or by anything, which is then the field `held`."""

    words: dict[str, _Place] = field(default_factory=dict)
    held: str | None = None
    beyond: _Place | None = None
    command: str | None = None


def _planted(routes: Mapping[str, str]) -> _Place:
    root = _Place()
    for path, name in routes.items():
        here = root
        for part in path.split("/")[1:]:
            if part[0] == "{":
                assert here.held in (None, part[1:-1]), "one place holds one field"
                here.held, here.beyond = part[1:-1], here.beyond or _Place()
                here = here.beyond
            else:
                here = here.words.setdefault(part, _Place())
        here.command = name
    return root


_ROOT: Final = _planted(ROUTES)


def match(path: str) -> tuple[str, dict[str, str]] | None:
    """The command an address stands for, and the fields the address holds; `None` for an address that has none."""
    if not path.startswith(PREFIX + "/"):
        return None
    here, fields = _ROOT, {}
    for part in path[len(PREFIX) + 1 :].split("/"):
        there = here.words.get(part)
        if there is None:
            if here.beyond is None or here.held is None or not part:
                return None
            fields[here.held], there = part, here.beyond
        here = there
    return (here.command, fields) if here.command is not None else None
