"""Codes that more than one command takes: closed lists, in which an unlisted code is refused at the edge."""

from __future__ import annotations

from typing import Literal

RoleName = Literal[
    "sending",
    "escort",
    "receiving",
    "treasury-payer",
    "treasury-payee",
    "court",
    "monitor",
    "auditor",
    "counsel",
    "clock",
    "registrar",
]
SideName = Literal["sending", "receiving"]
FacilityKind = Literal[
    "prison", "remand-prison", "immigration", "police", "court-cells", "hospital", "transit", "airport"
]
BasisKind = Literal["sentence", "remand", "removal-order", "detainer", "treaty-enforcement", "recommitment"]
