"""A whole ledger behind its HTTP edge, in one process: real log, writer, views and application, a settable clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from threading import Event
from typing import Any, NamedTuple

import httpx2
from pydantic import SecretStr
from starlette.testclient import TestClient

from ledger.genesis import open_epoch
from ledger.http.app import create_app
from ledger.http.commands.routes import PREFIX, ROUTES
from ledger.http.serving.watched import Watched
from ledger.service import Service, open_service
from ledger.settings import Settings
from ledger.sources import Sources
from ledger.store import EventLog, open_log
from ledger.store.log import Step
from tests.ledger.http.serving import PATIENCE
from tests.scene import (
    ANN,
    DIGEST,
    E1,
    EAST,
    EVIDENCE,
    KEEPER,
    N1,
    NORTH,
    PLACES,
    ROLES,
    STATES,
    TERMS,
    WATCH,
    ZONES,
    basis,
    offer,
    opening,
)

Json = dict[str, Any]
START = "2025-02-20T09:00:00Z"
IN_MEMORY = "sqlite:///:memory:"


@dataclass(kw_only=True)
class Clock:
    """The time of a house, and what else it draws."""

    now: datetime
    sources: Sources = field(init=False)

    def __post_init__(self) -> None:
        ids, salts = count(1), count(1)
        self.sources = Sources(
            now=lambda: self.now,
            new_id=lambda: f"00000000-0000-7000-8000-{next(ids):012x}",
            salt=lambda: next(salts).to_bytes(32, "big"),
        )

    def at(self, text: str) -> None:
        """Set it."""
        self.now = datetime.fromisoformat(text).astimezone(UTC)


@dataclass(kw_only=True)
class House:
    """The service, its application, and a client that speaks to it."""

    clock: Clock
    service: Service
    app: Watched
    client: TestClient
    keys: Iterator[int] = field(default_factory=count)

    @property
    def head(self) -> int:
        """The last position on disk."""
        return self.service.log.head()

    def post(
        self, path: str, data: object, by: str = NORTH, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """POST a JSON body below `/v1`, with a fresh key where none is given."""
        key = f"k-{next(self.keys)}" if key is None else key
        given = {"Custody-Actor": officer(by), "Idempotency-Key": key, **(headers or {})}
        return self.client.post(PREFIX + path, json=data, headers=given)

    def send(self, by: str, name: str, **data: object) -> httpx2.Response:
        """One command to its route."""
        fields = {field_name.rstrip("_"): value for field_name, value in data.items()}
        path = next(path for path, command in ROUTES.items() if command == name)
        for part in path.split("/"):
            if part.startswith("{"):
                path = path.replace(part, str(fields.pop(part[1:-1])))
        return self.post(path, fields, by)

    def do(self, by: str, name: str, **data: object) -> Json:
        """The answer to one command that is granted."""
        response = self.send(by, name, **data)
        assert response.status_code == 201, response.text
        answer: Json = response.json()
        return answer

    def get(
        self, path: str, by: str = NORTH, headers: Mapping[str, str] | None = None, **query: Any
    ) -> httpx2.Response:
        """GET below `/v1`, waiting for views to have read everything unless the query says otherwise."""
        given = {"Custody-Actor": officer(by), "Prefer": "wait=10", **(headers or {})}
        names = {"min_position": self.head, **{name.rstrip("_"): value for name, value in query.items()}}
        return self.client.get(PREFIX + path, params={name: str(value) for name, value in names.items()}, headers=given)

    def read(self, path: str, **query: Any) -> Json:
        """The document of a read that is answered."""
        response = self.get(path, **query)
        assert response.status_code == 200, response.text
        answer: Json = response.json()
        return answer


def officer(by: str) -> str:
    """`AUTHORITY/OFFICER` of an authority, or of an officer named so already."""
    return by if "/" in by else f"{by}/{by}-1"


@contextmanager
def house_at(url: str, *, now: str = START, run_views: bool = True) -> Iterator[House]:
    """A new ledger at an address whose database is empty."""
    clock = Clock(now=datetime.fromisoformat(now).astimezone(UTC))
    log = new_log(url, clock)
    service = open_service(settings(url), clock.sources, run_views, log)
    app = create_app(service)
    try:
        with TestClient(app) as client:
            yield House(clock=clock, service=service, app=app, client=client)
    finally:
        service.close()


def new_log(url: str, clock: Clock) -> EventLog:
    """The log of a new ledger, opened and with its first commit."""
    log = open_log(url, create=True)
    open_epoch(
        log, origin="ledger.example/custody/2025", registrar=KEEPER, state="NO", officer="k-1", sources=clock.sources
    )
    return log


def settings(url: str) -> Settings:
    """The settings of a ledger in development at that address."""
    return Settings(database_url=SecretStr(url), trusted_hosts="testserver", _env_file=None)  # type: ignore[call-arg]  # pydantic-settings takes it


class Stall(NamedTuple):
    """A commit that has begun, and goes on when it is let."""

    begun: Event
    goes_on: Event


@contextmanager
def stalled(house: House) -> Iterator[Stall]:
    """The first commit does not come to an end before it is let go on."""
    stall = Stall(Event(), Event())

    def wait(step: Step) -> None:
        if step == "before-commit":
            stall.begun.set()
            assert stall.goes_on.wait(PATIENCE)

    house.service.log.fault = wait
    try:
        yield stall
        assert stall.begun.is_set()
    finally:
        stall.goes_on.set()
        house.service.log.fault = None


def furnished(house: House) -> House:
    """Authorities, places, an agreement for 2025 that both have signed."""
    for authority, roles in ROLES.items():
        fields = {"authority": authority, "state": STATES[authority], "legal_name": authority}
        house.do(KEEPER, "register-authority", **fields, outside_register=False)
        given = [{"role": role, "from": "2024-01-01"} for role in roles]
        house.do(KEEPER, "set-authority-roles", authority=authority, roles=given)
    for facility, authority in PLACES.items():
        house.do(
            KEEPER,
            "register-facility",
            facility=facility,
            authority=authority,
            state=STATES[authority],
            kind="prison",
            zone=ZONES[STATES[authority]],
            recognised_by=DIGEST,
            supervising_authority=WATCH,
        )
    answer = house.do(
        NORTH,
        "draft-agreement",
        agreement="a1",
        revision=1,
        parties=[{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "receiving"}],
        legal_bases=["custody-contract"],
        terms=TERMS,
        from_="2025-01-01",
        to="2025-12-31",
    )
    for party in (NORTH, EAST):
        house.do(party, "sign-agreement", agreement="a1", revision=1, terms_digest=answer["told"]["terms_digest"])
    return house


def held(house: House, person: str = ANN, since: str = "2025-02-01T10:00:00+01:00") -> House:
    """A person whom north holds in n-1."""
    house.do(NORTH, "register-person", person=person, identity_status="established", attributes={}, occurred_at=since)
    house.do(NORTH, "record-basis", person=person, **basis(f"b-{person}"), occurred_at=since)
    house.do(NORTH, "open-custody", person=person, **opening(N1, person), occurred_at=since)
    return house


def offered(house: House, person: str = ANN, transfer: str = "tr-1", handover: str = "h-1") -> Json:
    """A transfer of that person to e-1, evidenced, approved, and the offer of the handover."""
    house.do(
        NORTH,
        "request-transfer",
        transfer=transfer,
        person=person,
        agreement="a1",
        revision=1,
        rule_sets=["custody-contract"],
        basis=f"b-{person}",
        from_facility=N1,
        to_facility=E1,
        purpose="custody-contract",
        window_from="2025-02-20",
        window_to="2025-03-31",
        responsibility_after="sending",
    )
    for by, rule_set, condition in EVIDENCE:
        fields = {"rule_set": rule_set, "condition": condition, "outcome": "met", "evidence": DIGEST}
        house.do(by, "evidence-condition", transfer=transfer, **fields)
    reserved = {"facility": E1, "from": "2025-02-20", "to": "2025-03-31"}
    house.do(EAST, "approve-transfer", transfer=transfer, as_="receiving", reserved=reserved)
    return house.do(NORTH, "offer-handover", **offer(handover, transfer), occurred_at=house.clock.now.isoformat())


def handed_over(house: House, person: str = ANN, transfer: str = "tr-1", handover: str = "h-1") -> House:
    """The same, and east's acceptance."""
    leaf_hash = offered(house, person, transfer, handover)["events"][0]["leaf_hash"]
    fields: Json = {
        "handover": handover,
        "answers": leaf_hash,
        "receiving": {"authority": EAST, "facility": E1, "officer": "east-1"},
        "place": E1,
        "identity_check": {"method": "document", "result": "match"},
        "property_seals": [],
        "documents": [],
    }
    house.do(EAST, "accept-handover", **fields, occurred_at=house.clock.now.isoformat())
    return house
