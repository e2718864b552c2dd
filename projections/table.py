"""Every view, in the order in which they are driven: the persons' facts first, which the others fold."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from projections import audit_trail, balances, current_custody, custody_timeline, invoices, occupancy, people, roll
from projections.engine import person_facts
from projections.engine.tables import Rows
from projections.engine.view import Batch, View


def _keep_facts(batch: Batch, rows: Rows) -> None:
    person_facts.write(batch.events, batch.persons, rows)


PERSON_FACTS: Final = View(
    name=person_facts.NAME, version=2, tables=person_facts.TABLES, apply=_keep_facts, folds=False
)
VIEWS: Final[Mapping[str, View]] = MappingProxyType(
    {
        view.name: view
        for view in (
            PERSON_FACTS,
            people.VIEW,
            current_custody.VIEW,
            custody_timeline.VIEW,
            roll.VIEW,
            occupancy.VIEW,
            balances.VIEW,
            invoices.VIEW,
            audit_trail.VIEW,
        )
    }
)
