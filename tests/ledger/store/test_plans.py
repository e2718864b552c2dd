"""What a read on PostgreSQL goes through does not grow with the log, whatever the server thinks of its tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ledger.store.postgres.log import _QUERIES, PostgresLog
from tests.ledger.store.samples import opened, record, rows

LOG = 3_000
FEW = 5
LATEST = [LOG - number for number in range(FEW)]
READS: dict[str, tuple[str, list[object]]] = {
    "a page": (_QUERIES.page, [LOG - FEW, LOG]),
    "some positions": (_QUERIES.at, [LATEST]),
    "a stream": (_QUERIES.stream, [f"person:p{LOG}"]),
    "leaf hashes": (_QUERIES.leaf_hashes, [LOG - FEW, LOG]),
    "positions of events": (_QUERIES.positions, [[f"north-{position}" for position in LATEST]]),
    "keys": (_QUERIES.remembered, [["no-kv"] * FEW, [f"k{position}" for position in LATEST]]),
    "the keys of a stretch": (_QUERIES.remembered_between, [LOG - FEW + 1, LOG]),
}


def went_through(plan: dict[str, Any]) -> Iterator[int]:
    """How many rows each scan of a table or an index has handed on or thrown away."""
    if "Relation Name" in plan or "Index Name" in plan:
        thrown = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        yield round((plan["Actual Rows"] + thrown) * plan["Actual Loops"])
    for part in plan.get("Plans", ()):
        yield from went_through(part)


@pytest.mark.parametrize("plan", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("statistics", ["without statistics", "with statistics"])
def test_a_read_of_few_rows_goes_through_few(postgresql_url: str, plan: str, statistics: str) -> None:
    with opened(postgresql_url) as log:
        log.append(rows(1, LOG), [record(f"k{position}", first=position) for position in range(1, LOG + 1)])
        assert isinstance(log, PostgresLog)
        with log._datastore.get_connection() as server:
            if statistics == "with statistics":
                server.execute("ANALYZE")
            server.execute(f"SET plan_cache_mode = {plan}".encode())
            for name, (query, asked) in READS.items():
                explained = server.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}".encode(), asked).fetchone()
                assert explained is not None
                [found] = explained["QUERY PLAN"]
                assert max(went_through(found["Plan"])) <= FEW, name
