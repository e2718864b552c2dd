"""Authorities, facilities as entities, and agreements."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from domain.commands import Code, Id
from domain.files.agreement import AgreementFile
from domain.files.authority import AuthorityFile
from domain.files.facility import FacilityFile
from domain.refusals import AgreementIsUnknown, AuthorityIsUnknown, FacilityIsUnknown
from domain.register import Register
from ledger.http.answers import entities, rows
from ledger.http.asking import Reader, at_head, document
from ledger.http.document.operations import answers
from ledger.http.paging import ListQuery, asked
from ledger.http.paging import Query as PlainQuery
from ledger.http.reads.entities import listed, require_known

router = APIRouter(tags=["registry"])


class AuthoritiesQuery(ListQuery):
    """Filters of the list of authorities."""

    state: str | None = None
    role: Code | None = None


class FacilitiesQuery(ListQuery):
    """Filters of the list of facilities."""

    authority: Id | None = None
    state: str | None = None


class AgreementsQuery(ListQuery):
    """Filters of the list of agreements: a party."""

    authority: Id | None = None


@router.get("/authorities", operation_id="list-authorities", responses=answers(rows.Authorities))
def authorities(_reader: Reader, request: Request, query: Annotated[AuthoritiesQuery, Query()]) -> Response:
    """The public bodies in the register.

    In the order of their ids; `role` finds those who hold it now or will, in whatever scope.
    """
    page = asked(request, query)
    wanted = page.query

    def look_up(register: Register, id_: str) -> AuthorityFile | None:
        file = register.authority(id_)
        if file is None or wanted.state not in (None, file.state):
            return None
        return file if wanted.role is None or any(held.role == wanted.role for held in file.roles) else None

    return listed(request, page, "authority", look_up, entities.authority)


@router.get(
    "/authorities/{authority}",
    operation_id="show-authority",
    responses=answers(entities.Authority, "authority-is-unknown", versioned=True),
)
def authority(_reader: Reader, request: Request, authority: Id, query: Annotated[PlainQuery, Query()]) -> Response:
    """One public body with the roles it holds."""
    with at_head(request, query) as register:
        position, file = register.position, register.authority(authority)
    if file is None:
        raise AuthorityIsUnknown(authority)
    return document(entities.authority(file), position, version=file.version)


@router.get("/facilities", operation_id="list-facilities", responses=answers(rows.Facilities, "authority-is-unknown"))
def facilities(_reader: Reader, request: Request, query: Annotated[FacilitiesQuery, Query()]) -> Response:
    """The places where people are held, in the order of their ids."""
    page = asked(request, query)
    wanted = page.query
    with at_head(request, query) as register:
        require_known(register, authority=wanted.authority)

    def look_up(register: Register, id_: str) -> FacilityFile | None:
        file = register.facility(id_)
        if file is None or wanted.state not in (None, file.body.state):
            return None
        return file if wanted.authority in (None, file.authority) else None

    return listed(request, page, "facility", look_up, entities.facility)


@router.get(
    "/facilities/{facility}",
    operation_id="show-facility",
    responses=answers(entities.Facility, "facility-is-unknown", versioned=True),
)
def facility(_reader: Reader, request: Request, facility: Id, query: Annotated[PlainQuery, Query()]) -> Response:
    """One place, with its capacity certificates and regimes."""
    with at_head(request, query) as register:
        position, file = register.position, register.facility(facility)
    if file is None:
        raise FacilityIsUnknown(facility)
    return document(entities.facility(file), position, version=file.version)


@router.get("/agreements", operation_id="list-agreements", responses=answers(rows.Agreements, "authority-is-unknown"))
def agreements(_reader: Reader, request: Request, query: Annotated[AgreementsQuery, Query()]) -> Response:
    """The agreements, in the order of their ids; `authority` finds those it is or was a party of."""
    page = asked(request, query)
    wanted = page.query.authority
    with at_head(request, query) as register:
        require_known(register, authority=wanted)

    def look_up(register: Register, id_: str) -> AgreementFile | None:
        file = register.agreement(id_)
        if file is None or wanted is None:
            return file
        return (
            file if any(party.authority == wanted for item in file.revisions for party in item.body.parties) else None
        )

    return listed(request, page, "agreement", look_up, entities.agreement)


@router.get(
    "/agreements/{agreement}",
    operation_id="show-agreement",
    responses=answers(entities.Agreement, "agreement-is-unknown", versioned=True),
)
def agreement(_reader: Reader, request: Request, agreement: Id, query: Annotated[PlainQuery, Query()]) -> Response:
    """One agreement: its revisions and their signatures, its fee schedules, its closed periods and invoices."""
    with at_head(request, query) as register:
        position, file = register.position, register.agreement(agreement)
    if file is None:
        raise AgreementIsUnknown(agreement)
    return document(entities.agreement(file), position, version=file.version)
