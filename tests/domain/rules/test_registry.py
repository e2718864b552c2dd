"""The rules of the registry: authorities and their roles, places, what they may hold, who supervises them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest

from domain.events.authority import AuthorityRegistered
from domain.events.facility import FacilityCapacityCertified, FacilityRegimeSet
from domain.refusals import (
    AgreementIsUnknown,
    AuthorityIsUnknown,
    BodyIsMalformed,
    CodeIsNotListed,
    FacilityIsOfAnotherAuthority,
    FacilityIsUnknown,
    OccurredAtIsInTheFuture,
    RoleIsNotHeld,
    SecondApprovalIsMissing,
    VersionHasMoved,
)
from domain.rules.registry import (
    AuthorityIsAlreadyRegistered,
    AuthorityIsOfAnotherState,
    CapacityIsBelowOccupancy,
    CertificateIsOlderThanTheOneInForce,
    FacilityIsAlreadyRegistered,
    RolesConflict,
    StateIsNotRecognised,
    SupervisionWouldChangeThePast,
    TimeZoneIsUnknown,
)
from tests.domain.rules.rows import Row, holds
from tests.scene import (
    AUDIT,
    COURT,
    DIGEST,
    E1,
    EAST,
    KEEPER,
    N1,
    N2,
    NORTH,
    THIRD,
    WATCH,
    Scene,
    agreement,
    at,
    held,
    registry,
    story,
)

TWO = ["north-1", "north-2"]


def authority(**changes: object) -> Mapping[str, object]:
    return {
        "authority": "west",
        "state": "DK",
        "legal_name": "Prison service of the west",
        "outside_register": False,
        **changes,
    }


def place(**changes: object) -> Mapping[str, object]:
    return {
        "facility": "n-3",
        "authority": NORTH,
        "state": "NO",
        "kind": "prison",
        "zone": "Europe/Oslo",
        "recognised_by": DIGEST,
        "supervising_authority": WATCH,
        **changes,
    }


def capacity(**changes: object) -> Mapping[str, object]:
    return {
        "facility": N1,
        "operational_capacity": 100,
        "from": "2025-03-01",
        "certificate": DIGEST,
        "approved_by": TWO,
        **changes,
    }


def regime(**changes: object) -> Mapping[str, object]:
    return {
        "facility": N1,
        "supervising_authority": WATCH,
        "use": "prohibited",
        "from": "2025-03-01T12:00:00Z",
        **changes,
    }


def roles(*given: str | Mapping[str, object], authority: str = THIRD) -> Mapping[str, object]:
    """The roles of an authority: a name alone is held since 2024, in every scope."""
    rows = [{"role": item, "from": "2024-01-01"} if isinstance(item, str) else item for item in given]
    return {"authority": authority, "roles": rows}


def role(name: str, begins: str = "2024-01-01", **changes: object) -> Mapping[str, object]:
    return {"role": name, "from": begins, **changes}


def two_agreements(scene: Scene) -> None:
    agreement(scene, "a2")


MOVED_AWAY = ("north", "record-move-within", {
    "person": "p-ann",
    "from_facility": N1,
    "to_facility": N2,
    "reason": "placement",
    "occurred_at": "2025-02-20T12:00:00+01:00",
})  # fmt: skip
LATER_SUPERVISOR = (KEEPER, "set-facility-regime", regime(
    supervising_authority=AUDIT, use="permitted", from_="2025-04-01T00:00:00Z"
))  # fmt: skip
PROHIBITED = (COURT, "set-facility-regime", regime())

ROWS = {
    # register-authority
    "an authority enters the register": Row(by=KEEPER, asks="register-authority", data=authority()),
    "its id may be left to the register": Row(by=KEEPER, asks="register-authority", data=authority(authority=None)),
    "a State of a federation is a State": Row(by=KEEPER, asks="register-authority", data=authority(state="US-VT")),
    "only a registrar registers an authority": Row(
        by=NORTH,
        asks="register-authority",
        data=authority(authority=EAST, state="??", parent="nobody"),
        follows=RoleIsNotHeld(NORTH, ("registrar",)),
    ),
    "a parent is registered before": Row(
        by=KEEPER,
        asks="register-authority",
        data=authority(authority=EAST, state="??", parent="nobody"),
        follows=AuthorityIsUnknown("nobody"),
    ),
    "a registration does not lie in the future": Row(
        by=KEEPER,
        asks="register-authority",
        data=authority(authority=EAST, state="??", occurred_at="2025-03-01T12:05:01Z"),
        follows=OccurredAtIsInTheFuture(at("2025-03-01T12:05:01Z"), at("2025-03-01T12:00:00Z")),
    ),
    "who has read an older version is told": Row(
        by=KEEPER,
        asks="register-authority",
        data=authority(authority=EAST, state="??", expected_version=1),
        follows=VersionHasMoved(2, 1),
    ),
    "an authority's id is taken once": Row(
        by=KEEPER,
        asks="register-authority",
        data=authority(authority=EAST, state="??"),
        follows=AuthorityIsAlreadyRegistered(EAST),
    ),
    "a State has a code of ISO 3166": Row(
        by=KEEPER, asks="register-authority", data=authority(state="ZZ"), follows=StateIsNotRecognised("ZZ")
    ),
    "the Union has no other States than its own": Row(
        by=KEEPER, asks="register-authority", data=authority(state="US-ZZ"), follows=StateIsNotRecognised("US-ZZ")
    ),
    "a subdivision lies in a country": Row(
        by=KEEPER, asks="register-authority", data=authority(state="ZZ-01"), follows=StateIsNotRecognised("ZZ-01")
    ),
    # set-authority-roles
    "only a registrar gives roles": Row(
        by=NORTH,
        asks="set-authority-roles",
        data=roles("sending", "court", authority="nobody"),
        follows=RoleIsNotHeld(NORTH, ("registrar",)),
    ),
    "roles are given to an authority that is registered": Row(
        by=KEEPER,
        asks="set-authority-roles",
        data=roles("sending", "court", authority="nobody"),
        follows=AuthorityIsUnknown("nobody"),
    ),
    "a role is scoped to an agreement already drafted": Row(
        by=KEEPER,
        asks="set-authority-roles",
        data=roles("sending", "court", role("escort", agreement="a9")),
        follows=AgreementIsUnknown("a9"),
    ),
    "a role has a code": Row(
        by=KEEPER, asks="set-authority-roles", data=roles("guard"), follows=CodeIsNotListed(("/roles/0/role",))
    ),
    "both sides and one treasury may be one authority": Row(
        by=KEEPER,
        asks="set-authority-roles",
        data=roles("sending", "receiving", "escort", "treasury-payer", "registrar"),
    ),
    "a registrar may also be a court": Row(
        by=KEEPER, asks="set-authority-roles", data=roles("registrar", "court", "monitor")
    ),
    "who oversees holds nobody": Row(
        by=KEEPER,
        asks="set-authority-roles",
        data=roles("monitor", "receiving"),
        follows=RolesConflict(("monitor", "receiving")),
    ),
    "who oversees pays nothing, under whatever agreement": Row(
        by=KEEPER,
        asks="set-authority-roles",
        data=roles("auditor", role("treasury-payer", agreement="a1")),
        follows=RolesConflict(("auditor", "treasury-payer")),
    ),
    "a court may become a custodian the day after": Row(
        by=KEEPER,
        asks="set-authority-roles",
        data=roles(role("court", to="2024-12-31"), role("sending", "2025-01-01")),
    ),
    "but not on the same day": Row(
        by=KEEPER,
        asks="set-authority-roles",
        data=roles(role("court", to="2025-01-01"), role("sending", "2025-01-01")),
        follows=RolesConflict(("court", "sending")),
    ),
    "nobody is both treasuries": Row(
        by=KEEPER,
        asks="set-authority-roles",
        data=roles("treasury-payee", "treasury-payer"),
        follows=RolesConflict(("treasury-payee", "treasury-payer")),
    ),
    "nobody is both treasuries of one agreement": Row(
        by=KEEPER,
        asks="set-authority-roles",
        data=roles(role("treasury-payee", agreement="a1"), role("treasury-payer", agreement="a1")),
        follows=RolesConflict(("treasury-payee", "treasury-payer")),
    ),
    "a treasury without scope is that of every agreement": Row(
        by=KEEPER,
        asks="set-authority-roles",
        data=roles(role("treasury-payee", agreement="a1"), "treasury-payer"),
        follows=RolesConflict(("treasury-payee", "treasury-payer")),
    ),
    "in whatever order they stand": Row(
        by=KEEPER,
        asks="set-authority-roles",
        data=roles("treasury-payer", role("treasury-payee", agreement="a1")),
        follows=RolesConflict(("treasury-payee", "treasury-payer")),
    ),
    "the payee of one agreement may pay under another": Row(
        given=(two_agreements,),
        by=KEEPER,
        asks="set-authority-roles",
        data=roles(role("treasury-payee", agreement="a1"), role("treasury-payer", agreement="a2")),
    ),
    # register-facility
    "a place enters the register": Row(by=KEEPER, asks="register-facility", data=place()),
    "only a registrar registers a place": Row(
        by=NORTH,
        asks="register-facility",
        data=place(authority="nobody"),
        follows=RoleIsNotHeld(NORTH, ("registrar",)),
    ),
    "a place is run by a registered authority": Row(
        by=KEEPER,
        asks="register-facility",
        data=place(authority="nobody", supervising_authority="nobody-else"),
        follows=AuthorityIsUnknown("nobody"),
    ),
    "a place is supervised by a registered authority": Row(
        by=KEEPER,
        asks="register-facility",
        data=place(facility=N1, supervising_authority="nobody"),
        follows=AuthorityIsUnknown("nobody"),
    ),
    "a place's id is taken once": Row(
        by=KEEPER,
        asks="register-facility",
        data=place(facility=N1, zone="Europe/Nowhere", state="SE"),
        follows=FacilityIsAlreadyRegistered(N1),
    ),
    "a place has a zone of the IANA data base": Row(
        by=KEEPER,
        asks="register-facility",
        data=place(zone="Europe/Nowhere", state="SE"),
        follows=TimeZoneIsUnknown("n-3"),
    ),
    "a place lies in the State of the authority that runs it": Row(
        by=KEEPER,
        asks="register-facility",
        data=place(state="SE"),
        follows=AuthorityIsOfAnotherState(NORTH, "NO"),
    ),
    # certify-capacity
    "the running authority certifies with two officers": Row(by=NORTH, asks="certify-capacity", data=capacity()),
    "a court certifies no capacity": Row(
        by=COURT,
        asks="certify-capacity",
        data=capacity(facility="nowhere"),
        follows=RoleIsNotHeld(COURT, ("sending", "receiving")),
    ),
    "a registered place is certified": Row(
        by=NORTH, asks="certify-capacity", data=capacity(facility="nowhere"), follows=FacilityIsUnknown("nowhere")
    ),
    "nobody certifies another's place": Row(
        by=EAST,
        asks="certify-capacity",
        data=capacity(approved_by=[]),
        follows=FacilityIsOfAnotherAuthority(N1, EAST),
    ),
    "one officer certifies nothing": Row(
        given=(held,),
        by=NORTH,
        asks="certify-capacity",
        data=capacity(approved_by=["north-1", "north-1"], operational_capacity=0),
        follows=SecondApprovalIsMissing(NORTH),
    ),
    "the actor is one of the two": Row(
        by=NORTH,
        asks="certify-capacity",
        data=capacity(approved_by=["north-2", "north-3"]),
        follows=SecondApprovalIsMissing(NORTH),
    ),
    "a certificate covers those who are there": Row(
        given=(held, (NORTH, "certify-capacity", capacity())),
        by=NORTH,
        asks="certify-capacity",
        data=capacity(operational_capacity=0, from_="2025-02-28"),
        follows=CapacityIsBelowOccupancy(N1, date(2025, 3, 1), 1),
    ),
    "it covers those who were there when it begins": Row(
        given=(held, MOVED_AWAY),
        by=NORTH,
        asks="certify-capacity",
        data=capacity(operational_capacity=0, from_="2025-02-20"),
        follows=CapacityIsBelowOccupancy(N1, date(2025, 2, 20), 1),
    ),
    "but not those who were there before": Row(
        given=(held, MOVED_AWAY),
        by=NORTH,
        asks="certify-capacity",
        data=capacity(operational_capacity=0, from_="2025-02-21"),
    ),
    "a certificate does not begin before the one in force": Row(
        given=((NORTH, "certify-capacity", capacity()),),
        by=NORTH,
        asks="certify-capacity",
        data=capacity(from_="2025-02-28"),
        follows=CertificateIsOlderThanTheOneInForce(N1, date(2025, 3, 1)),
    ),
    "one of the same day replaces it": Row(
        given=((NORTH, "certify-capacity", capacity()),),
        by=NORTH,
        asks="certify-capacity",
        data=capacity(operational_capacity=90),
    ),
    "one that is not yet in force may be preceded": Row(
        given=((NORTH, "certify-capacity", capacity(from_="2025-06-01")),),
        by=NORTH,
        asks="certify-capacity",
        data=capacity(from_="2025-05-01"),
    ),
    # set-facility-regime
    "a court prohibits a place": Row(by=COURT, asks="set-facility-regime", data=regime()),
    "so does a monitor, and from a day long past": Row(
        by=WATCH, asks="set-facility-regime", data=regime(from_="2024-01-01T00:00:00Z")
    ),
    "so does an authority of the place's State": Row(by=NORTH, asks="set-facility-regime", data=regime()),
    "one of another State does not": Row(
        by=EAST,
        asks="set-facility-regime",
        data=regime(),
        follows=RoleIsNotHeld(EAST, ("court", "monitor", "sending", "receiving")),
    ),
    "a registrar does not decide on the use of a place": Row(
        by=KEEPER,
        asks="set-facility-regime",
        data=regime(),
        follows=RoleIsNotHeld(KEEPER, ("court", "monitor", "sending", "receiving")),
    ),
    "a registrar names another supervisor": Row(
        by=KEEPER, asks="set-facility-regime", data=regime(supervising_authority=AUDIT, use="permitted")
    ),
    "a court does not": Row(
        by=COURT,
        asks="set-facility-regime",
        data=regime(supervising_authority=AUDIT, use="permitted"),
        follows=RoleIsNotHeld(COURT, ("registrar",)),
    ),
    "the supervisor in force is that of the day the regime begins": Row(
        given=(LATER_SUPERVISOR,),
        by=COURT,
        asks="set-facility-regime",
        data=regime(supervising_authority=AUDIT, from_="2025-04-01T00:00:00Z"),
    ),
    "a registrar ends no prohibition by the way": Row(
        given=(PROHIBITED,),
        by=KEEPER,
        asks="set-facility-regime",
        data=regime(supervising_authority=AUDIT, use="permitted", from_="2025-03-02T00:00:00Z"),
        follows=RoleIsNotHeld(KEEPER, ("court", "monitor", "sending", "receiving")),
    ),
    "with an unknown place any role is enough to be told so": Row(
        by=AUDIT, asks="set-facility-regime", data=regime(facility="nowhere"), follows=FacilityIsUnknown("nowhere")
    ),
    "nor does a role come before a supervisor nobody knows: who it is says which role is asked for": Row(
        by=COURT,
        asks="set-facility-regime",
        data=regime(supervising_authority="nobody"),
        follows=AuthorityIsUnknown("nobody"),
    ),
    "a supervisor is registered": Row(
        by=KEEPER,
        asks="set-facility-regime",
        data=regime(supervising_authority="nobody", use="permitted"),
        follows=AuthorityIsUnknown("nobody"),
    ),
    "supervision is not changed for the past": Row(
        by=KEEPER,
        asks="set-facility-regime",
        data=regime(supervising_authority=AUDIT, use="permitted", from_="2025-03-01T11:59:59Z"),
        follows=SupervisionWouldChangeThePast(N1, WATCH),
    ),
    "a prohibition is refused for no past": Row(
        by=KEEPER,
        asks="set-facility-regime",
        data=regime(supervising_authority=AUDIT, from_="2025-03-01T11:59:59Z"),
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_registry(row: Row) -> None:
    holds(row, story())


def test_an_equal_registration_under_another_key_is_a_repeat() -> None:
    scene = registry(Scene())
    first = scene.do(KEEPER, "register-authority", key="one", **authority())
    again = scene.do(KEEPER, "register-authority", key="two", **authority())
    assert again.events == first.events
    assert scene.register.position == first.position
    assert scene.refusal(KEEPER, "register-authority", **authority(legal_name="Another")) is not None


def test_an_id_left_out_is_drawn() -> None:
    scene = registry(Scene())
    answer = scene.do(KEEPER, "register-authority", **authority(authority=None))
    body = scene.events()[-1].body
    assert isinstance(body, AuthorityRegistered)
    assert answer.events[0].stream == f"authority:{body.authority}"
    assert scene.register.authority(body.authority) is not None


def test_what_is_recorded_of_a_place() -> None:
    scene = registry(Scene())
    scene.do(NORTH, "certify-capacity", **capacity())
    scene.do(COURT, "set-facility-regime", **regime(ground=DIGEST))
    certified, prohibited = (event.body for event in scene.events()[-2:])
    assert certified == FacilityCapacityCertified(
        flags=(),
        operational_capacity=100,
        from_=date(2025, 3, 1),
        certificate=DIGEST,  # type: ignore[arg-type]  # a plain text here, a named one there
        approved_by=("north-1", "north-2"),  # type: ignore[arg-type]  # as above
    )
    assert isinstance(prohibited, FacilityRegimeSet)
    assert prohibited.use == "prohibited"
    place_file = scene.register.facility(N1)
    assert place_file is not None
    assert place_file.is_prohibited_at(at("2025-03-01T12:00:00Z"))
    assert not place_file.is_prohibited_at(at("2025-03-01T11:59:59Z"))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("register-authority", authority(surname="x")),
        ("register-authority", authority(outside_register="no")),
        ("register-authority", authority(authority="West")),
        ("set-authority-roles", {"authority": THIRD, "roles": [{"role": "sending"}]}),
        ("certify-capacity", capacity(operational_capacity=-1)),
        ("certify-capacity", capacity(operational_capacity=True)),
        ("certify-capacity", capacity(from_="2025-02-30")),
        ("register-facility", place(recognised_by="ABC")),
    ],
)
def test_a_malformed_body_is_refused(name: str, data: Mapping[str, object]) -> None:
    assert isinstance(registry(Scene()).refusal(KEEPER, name, **data), BodyIsMalformed)


def test_places_of_the_scene_have_no_certificate() -> None:
    place_file = story().register.facility(E1)
    assert place_file is not None
    assert place_file.certificates == ()
