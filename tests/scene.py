"""A ledger small enough for a specification row: in memory, through the real writer, with a clock the row sets.

`Scene.do` asks one command and returns its answer or raises its refusal. The functions below it tell the usual story
step by step: two authorities, their places, an agreement, a person, a transfer, a handover.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from domain.commands import parse
from domain.custody.state import CustodyState
from domain.events.event import Actor, Event
from domain.names import AuthorityId, OfficerId
from domain.refusals import Refusal
from domain.register import Register
from domain.rules.table import RULES
from ledger.genesis import open_epoch
from ledger.sources import Sources
from ledger.store import open_log
from ledger.store.leaf import read_event
from ledger.store.log import EventLog
from ledger.writer.submission import Answer, Group, Outcome, Refused, Submission, submission
from ledger.writer.writer import Writer

KEEPER, NORTH, EAST, COURT, WATCH, AUDIT, THIRD = "keeper", "north", "east", "court-n", "watch", "audit", "third"
"""Registrar; sending authority of NO; receiving authority of SE; court of NO; monitor; auditor; another of SE."""
N1, N2, E1, E2, T1 = "n-1", "n-2", "e-1", "e-2", "t-1"
ANN = "p-ann"
DIGEST = "0" * 64
SEALED = "sha256:" + "a" * 64
START = "2025-03-01T12:00:00Z"


def at(text: str) -> datetime:
    """The instant a text says."""
    return datetime.fromisoformat(text)


class Scene:
    """One ledger and the hands that act on it. `by` is an authority, or `AUTHORITY/OFFICER`."""

    def __init__(self, log: EventLog | None = None, now: str = START, first_id: int = 1) -> None:
        self.now = at(now).astimezone(UTC)
        ids, salts, self._keys = count(first_id), count(first_id), count(first_id)
        self.sources = Sources(
            now=lambda: self.now,
            new_id=lambda: f"00000000-0000-7000-8000-{next(ids):012x}",
            salt=lambda: next(salts).to_bytes(32, "big"),
        )
        self.log = log if log is not None else open_log("sqlite:///:memory:", create=True)
        if not self.log.head():
            open_epoch(
                self.log,
                origin="ledger.example/custody/2025",
                registrar=KEEPER,
                state="NO",
                officer="k-1",
                sources=self.sources,
            )
        self.writer = Writer(self.log, self.sources)

    @property
    def register(self) -> Register:
        """The register at the head."""
        return self.writer.register

    def head(self, person: str = ANN) -> CustodyState:
        """Where a person's custody stands now."""
        file = self.register.person(person)
        assert file is not None
        return file.head

    def events(self) -> list[Event]:
        """The whole record."""
        return [read_event(row) for row in self.log.read(0, 100_000)]

    def at(self, text: str) -> Scene:
        """Set the clock."""
        self.now = at(text).astimezone(UTC)
        return self

    def later(self, **delta: int) -> Scene:
        """Move the clock on."""
        self.now += timedelta(**delta)
        return self

    def ask(
        self, by: str, name: str, key: str | None = None, expected_version: int | None = None, **data: object
    ) -> Submission:
        """A command, parsed as at the edge; raises its edge refusals. `from_` and `as_` lose their underscore."""
        authority, _, officer = by.partition("/")
        credential = f"none:{authority}/{officer or authority + '-1'}"
        rule = RULES[name]
        return submission(
            rule,
            parse(rule.command, {field.rstrip("_"): value for field, value in data.items()}),
            by=Actor(
                authority=AuthorityId(authority),
                officer=OfficerId(officer or f"{authority}-1"),
                credential=credential,
            ),
            key=key if key is not None else f"k-{next(self._keys)}",
            expected_version=expected_version,
        )

    def outcome(self, by: str, name: str, **data: object) -> Outcome:
        """What becomes of one command, a refusal included."""
        ((outcome,),) = self.writer.commit([Group(submissions=(self.ask(by, name, **data),))])  # type: ignore[arg-type]  # key and version go through data
        return outcome

    def do(self, by: str, name: str, **data: object) -> Answer:
        """The answer to one command; raises its refusal."""
        outcome = self.outcome(by, name, **data)
        if isinstance(outcome, Refused):
            raise outcome.refusal
        assert isinstance(outcome, Answer)
        return outcome

    def refusal(self, by: str, name: str, **data: object) -> Refusal | None:
        """The refusal of one command, at the edge or in the domain; `None` if it was granted."""
        try:
            self.do(by, name, **data)
        except Refusal as refusal:
            return refusal
        return None


ROLES = {
    NORTH: ("sending", "receiving", "treasury-payer"),
    EAST: ("sending", "receiving", "treasury-payee"),
    THIRD: ("sending", "receiving"),
    COURT: ("court",),
    WATCH: ("monitor",),
    AUDIT: ("auditor",),
}
STATES = {NORTH: "NO", EAST: "SE", THIRD: "SE", COURT: "NO", WATCH: "NO", AUDIT: "SE"}
PLACES = {N1: NORTH, N2: NORTH, E1: EAST, E2: EAST, T1: THIRD}
ZONES = {"NO": "Europe/Oslo", "SE": "Europe/Stockholm"}

TERMS: dict[str, object] = {
    "notice": {"denunciation_days": 90, "after_end": "stay-until-release"},
    "places": {"facilities": [], "classes": ["prison"]},
    "who": {
        "nationalities": "any",
        "sexes": "any",
        "offence_classes": "any",
        "basis_kinds": ["sentence"],
        "national_means": "citizens",
    },
    "approvals": ["receiving"],
    "delivery": {"places": [E1, E2], "notice_hours": 24, "carrier": "sending"},
    "retaking": {"within_days": 10, "after_refusal_hours": 24, "cost": "sending"},
    "responsibility_after": "sending",
    "onward": "forbidden",
    "moves": "free",
    "returns": {"grounds": ["basis-ended"], "within_days": 10},
    "release": {"place": "agreed", "verified_by": ["monitor"]},
    "monitor_access": {"bodies": [WATCH], "notice_hours": 0, "unannounced": True, "private": True},
    "medical": {"cost": "receiving", "extraordinary_cost": "sending", "file_travels": True, "fit_days": 7},
    "property": {"travels": True, "inventory_by_both": True},
    "reports": [{"kind": "whereabouts-certificate", "every_days": 30, "to": "sending"}],
    "notifications": [
        {"occasion": "death", "to": "family", "within_hours": 4, "source": "policy"},
        {"occasion": "escape", "to": "other-state", "within_hours": 1, "source": "policy"},
    ],
    "person_notice_hours": 0,
    "zones": {"sending": "Europe/Oslo", "receiving": "Europe/Stockholm"},
    "holidays": {"sending": [], "receiving": []},
    "disputes": {"body": COURT, "days": 30},
    "fees": "annex",
}


def registry(scene: Scene) -> Scene:
    """Authorities with their roles, and places without a capacity certificate."""
    for authority, roles in ROLES.items():
        scene.do(
            KEEPER,
            "register-authority",
            authority=authority,
            state=STATES[authority],
            legal_name=authority,
            outside_register=False,
        )
        scene.do(
            KEEPER,
            "set-authority-roles",
            authority=authority,
            roles=[{"role": role, "from": "2024-01-01"} for role in roles],
        )
    for facility, authority in PLACES.items():
        state = STATES[authority]
        scene.do(
            KEEPER,
            "register-facility",
            facility=facility,
            authority=authority,
            state=state,
            kind="prison",
            zone=ZONES[state],
            recognised_by=DIGEST,
            supervising_authority=WATCH,
        )
    return scene


def agreement(scene: Scene, id_: str = "a1", **changes: object) -> Scene:
    """An agreement for 2025 between north (sending) and east (receiving), signed by both; `changes` are terms."""
    answer = scene.do(
        NORTH,
        "draft-agreement",
        agreement=id_,
        revision=1,
        parties=[{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "receiving"}],
        legal_bases=["custody-contract"],
        terms={**TERMS, **changes},
        from_="2025-01-01",
        to="2025-12-31",
    )
    for party in (NORTH, EAST):
        scene.do(party, "sign-agreement", agreement=id_, revision=1, terms_digest=answer.told["terms_digest"])
    return scene


def registered(scene: Scene, person: str = ANN, occurred_at: str = "2025-02-01T09:00:00+01:00") -> Scene:
    """A person north has registered, with a sentence until the end of 2026; not yet in custody."""
    scene.do(
        NORTH,
        "register-person",
        person=person,
        identity_status="established",
        attributes={},
        occurred_at=occurred_at,
    )
    scene.do(NORTH, "record-basis", person=person, **basis(f"b-{person}"), occurred_at=occurred_at)
    return scene


def basis(id_: str, **changes: object) -> dict[str, object]:
    """The fields of an ordinary sentence ordered by the court of NO."""
    return {
        "basis": id_,
        "kind": "sentence",
        "ordering_authority": COURT,
        "instrument": DIGEST,
        "valid_from": "2025-01-01",
        "must_end_by": "2026-12-31",
        "indeterminate": False,
        **changes,
    }


NO_PARTICULARS = dict.fromkeys(("reasons", "injuries", "complaints", "property", "family", "emergency_contact"), "none")


def held(scene: Scene, person: str = ANN, facility: str = N1, occurred_at: str = "2025-02-01T10:00:00+01:00") -> Scene:
    """That person, held by north in one of its places."""
    registered(scene, person)
    scene.do(NORTH, "open-custody", person=person, **opening(facility, person), occurred_at=occurred_at)
    return scene


def opening(facility: str, person: str = ANN, **changes: object) -> dict[str, object]:
    """The fields of an ordinary opening by the authority that runs the place."""
    return {
        "facility": facility,
        "authority": PLACES[facility],
        "basis": f"b-{person}",
        "entry": "new",
        "deprived_at": "2025-02-01T08:00:00+01:00",
        "deprived_by": PLACES[facility],
        "supervising_authority": WATCH,
        "particulars": NO_PARTICULARS,
        **changes,
    }


def requested(scene: Scene, transfer: str = "tr-1", person: str = ANN, **changes: object) -> Scene:
    """A transfer of that person from n-1 to e-1 in March 2025, requested by north."""
    scene.do(
        NORTH,
        "request-transfer",
        **{
            "transfer": transfer,
            "person": person,
            "agreement": "a1",
            "revision": 1,
            "rule_sets": ["custody-contract"],
            "basis": f"b-{person}",
            "from_facility": N1,
            "to_facility": E1,
            "purpose": "custody-contract",
            "window_from": "2025-03-01",
            "window_to": "2025-03-31",
            "responsibility_after": "sending",
            **changes,
        },
    )
    return scene


EVIDENCE = (
    (NORTH, "custody-contract", "sending-law-permits-custody-abroad"),
    (EAST, "custody-contract", "receiving-law-permits-the-custody"),
    (NORTH, "non-refoulement", "no-danger-of-torture"),
    (NORTH, "non-refoulement", "no-danger-of-enforced-disappearance"),
)


def evidenced(scene: Scene, transfer: str = "tr-1") -> Scene:
    """All evidence that transfer needs, met."""
    for by, rule_set, condition in EVIDENCE:
        scene.do(
            by,
            "evidence-condition",
            transfer=transfer,
            rule_set=rule_set,
            condition=condition,
            outcome="met",
            evidence=DIGEST,
        )
    return scene


def approved(scene: Scene, transfer: str = "tr-1", person: str = ANN) -> Scene:
    """Requested, evidenced and approved by east, which reserves e-1 for March."""
    evidenced(requested(scene, transfer, person), transfer)
    scene.do(
        EAST,
        "approve-transfer",
        transfer=transfer,
        as_="receiving",
        reserved={"facility": E1, "from": "2025-03-01", "to": "2025-03-31"},
    )
    return scene


def offered(
    scene: Scene,
    handover: str = "h-1",
    transfer: str = "tr-1",
    occurred_at: str = "2025-03-01T12:00:00Z",
    by: str = NORTH,
) -> Answer:
    """North offers the person of that transfer to east at e-1; the answer's leaf hash is what east must name."""
    return scene.do(by, "offer-handover", **offer(handover, transfer), occurred_at=occurred_at)


def offer(handover: str = "h-1", transfer: str = "tr-1", **changes: object) -> dict[str, object]:
    """The fields of that offer."""
    return {
        "handover": handover,
        "transfer": transfer,
        "place": E1,
        "releasing": {"authority": NORTH, "facility": N1, "officer": "north-1"},
        "receiving": {"authority": EAST, "facility": E1},
        "identity_check": {"method": "document", "result": "match"},
        "property_seals": [],
        "documents": [],
        **changes,
    }


def acceptance(offer_answer: Answer, handover: str = "h-1", **changes: object) -> dict[str, object]:
    """The fields of east's acceptance of that offer."""
    return {
        "handover": handover,
        "answers": offer_answer.events[0].leaf_hash,
        "receiving": {"authority": EAST, "facility": E1, "officer": "east-1"},
        "place": E1,
        "identity_check": {"method": "document", "result": "match"},
        "property_seals": [],
        "documents": [],
        **changes,
    }


def accepted(scene: Scene, occurred_at: str = "2025-03-01T12:00:00Z") -> Scene:
    """The whole handover of ANN: held by north, approved, offered and accepted by east at e-1."""
    answer = offered(scene, occurred_at=occurred_at)
    scene.do(EAST, "accept-handover", **acceptance(answer), occurred_at=occurred_at)
    return scene


def story() -> Scene:
    """Registry and agreement, the stage most rows begin on."""
    return agreement(registry(Scene()))
