"""Taking in what is not as it should be: a row that makes no command, and two imports at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

from ledger.importers.book import ImportBook
from tests.ledger.importers.importing import imported, opened
from tests.shared_data import OWN

TRANSFERS = OWN / "sample_transfers.csv"


def test_a_row_that_makes_no_command_is_named_and_the_rest_goes_on(tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "transfers.csv"
    good = imported(opened(database_url), "nz-transfers", TRANSFERS, "islands")
    odd = "St. Mary's Hill,South Bay,Judicial,3-Mar-25,Sentenced\n"
    file.write_text(TRANSFERS.read_text("utf-8") + odd, "utf-8")
    # The same moves again, as other persons: the publisher's file says nothing of who they are.
    report = imported(database_url, "nz-transfers", file, "islands")
    assert [item for item in report["refused"] if item not in good["refused"]] == [
        {"where": "the place st.-mary's-hill", "code": "body-is-malformed"},
        {"where": "line 7", "code": "body-is-malformed"},
    ]
    assert report["recorded"]["moved-within.v1"] == good["recorded"]["moved-within.v1"]


def test_two_imports_at_once_give_everybody_one_name(database_url: str) -> None:
    sources = [f"s-{number}" for number in range(400)]
    start = Barrier(2, timeout=60)

    def named(order: int) -> dict[str, str]:
        with closing(ImportBook.open(database_url)) as book:
            start.wait()
            return book.persons("nyc-roster", sources[::order])

    opened(database_url)
    ImportBook.open(database_url).close()
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(named, (1, 2))
    assert other == {source: one[source] for source in sources[::2]}
    assert len(set(one.values())) == len(sources)
