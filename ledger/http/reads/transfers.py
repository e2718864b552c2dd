"""Transfers and handovers, as the register has them at the head."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from domain.commands import Id
from domain.custody.state import Offer, OfferStatus, TransferState, TransferStatus
from domain.names import AuthorityId
from domain.refusals import HandoverIsUnknown, TransferIsUnknown
from domain.register import Register
from domain.rules.part import has_a_part_in
from ledger.http.answers import entities, rows
from ledger.http.asking import Reader, at_head, entity
from ledger.http.document.operations import answers
from ledger.http.paging import ListQuery, asked
from ledger.http.paging import Query as PlainQuery
from ledger.http.reads.entities import has_moved, listed, require_known
from ledger.http.reads.forms import Read
from ledger.http.reads.links import links_of

router = APIRouter(tags=["transfer and handover"], route_class=Read)


class TransfersQuery(ListQuery):
    """Filters of the list of transfers."""

    status: TransferStatus | None = None
    person: Id | None = None
    agreement: Id | None = None


class HandoversQuery(ListQuery):
    """Filters of the list of handovers; `side` is an authority on either side."""

    status: OfferStatus | None = None
    open: Literal["true", "false"] | None = None
    person: Id | None = None
    transfer: Id | None = None
    side: Id | None = None


def _transfer(register: Register, id_: str, reader: AuthorityId) -> tuple[TransferState, int] | None:
    state = register.transfer(id_)
    if state is None or not has_a_part_in(register, reader, state.body.person):
        return None
    return state, register.version(f"transfer:{id_}")


def _handover(register: Register, id_: str, reader: AuthorityId) -> tuple[Offer, str, int] | None:
    file, offer = register.person_of("handover", id_), register.offer(id_)
    if file is None or offer is None or not has_a_part_in(register, reader, file.person):
        return None
    return offer, file.person, file.version


@router.get(
    "/transfers",
    operation_id="list-transfers",
    responses=answers(rows.Transfers, "person-is-unknown", "agreement-is-unknown"),
)
def transfers(reader: Reader, request: Request, query: Annotated[TransfersQuery, Query()]) -> Response:
    """The transfers, in the order of their ids; one that was corrected away is not among them."""
    page = asked(request, query)
    wanted = page.query
    with at_head(request, query) as register:
        require_known(register, person=wanted.person, agreement=wanted.agreement)

    def look_up(register: Register, id_: str) -> tuple[TransferState, int] | None:
        found = _transfer(register, id_, reader.authority)
        if found is None or wanted.status not in (None, found[0].status):
            return None
        body = found[0].body
        return found if wanted.person in (None, body.person) and wanted.agreement in (None, body.agreement) else None

    return listed(request, page, "transfer", look_up, lambda found: entities.transfer(*found))


@router.get(
    "/transfers/{transfer}",
    operation_id="show-transfer",
    responses=answers(entities.TransferInFull, "transfer-is-unknown", versioned=True),
)
def transfer(reader: Reader, request: Request, transfer: Id, query: Annotated[PlainQuery, Query()]) -> Response:
    """One transfer: what was asked, the evidence for its conditions, who has approved, the place kept."""
    with at_head(request, query) as register:
        position, found = register.position, _transfer(register, transfer, reader.authority)
        if found is None:
            raise TransferIsUnknown(transfer)
        moved = has_moved(register, found[0].body.person, f"transfer:{transfer}")
    links = partial(links_of, request, reader, "transfer", transfer)
    return entity(request, entities.transfer(*found), position, found[1], links, has_moved=moved)


@router.get(
    "/handovers",
    operation_id="list-handovers",
    responses=answers(rows.Handovers, "person-is-unknown", "transfer-is-unknown", "authority-is-unknown"),
)
def handovers(reader: Reader, request: Request, query: Annotated[HandoversQuery, Query()]) -> Response:
    """The handovers, in the order of their ids; `open=true` finds those that wait for an answer."""
    page = asked(request, query)
    wanted = page.query
    with at_head(request, query) as register:
        require_known(register, person=wanted.person, transfer=wanted.transfer, authority_side=wanted.side)

    def look_up(register: Register, id_: str) -> tuple[Offer, str, int] | None:
        found = _handover(register, id_, reader.authority)
        return found if found is not None and _is_wanted(wanted, found[0], found[1]) else None

    return listed(request, page, "handover", look_up, lambda found: entities.handover(*found))


def _is_wanted(wanted: HandoversQuery, offer: Offer, person: str) -> bool:
    sides = (None, offer.body.releasing.authority, offer.body.receiving.authority)
    is_open = "true" if offer.status == "open" else "false"
    return (
        wanted.status in (None, offer.status)
        and wanted.open in (None, is_open)
        and wanted.person in (None, person)
        and wanted.transfer in (None, offer.body.transfer)
        and wanted.side in sides
    )


@router.get(
    "/handovers/{handover}",
    operation_id="show-handover",
    responses=answers(entities.HandoverInFull, "handover-is-unknown", versioned=True),
)
def handover(reader: Reader, request: Request, handover: Id, query: Annotated[PlainQuery, Query()]) -> Response:
    """One handover: the offer, the leaf hash its answer must name, and the answer once there is one."""
    with at_head(request, query) as register:
        position, found = register.position, _handover(register, handover, reader.authority)
        if found is None:
            raise HandoverIsUnknown(handover)
        moved = has_moved(register, found[1], f"person:{found[1]}")
    links = partial(links_of, request, reader, "handover", handover)
    return entity(request, entities.handover(*found), position, found[2], links, has_moved=moved)
