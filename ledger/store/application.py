"""The ledger's log as an application of the library, for its notification log, followers and runners.

A stock follower names `LedgerApplication` and gives it `library_environment(url)`; it then reads
every event once, in order of position. Nothing is appended through it: `Application.save` is refused
by the recorder, because an event enters together with its leaf hash or not at all.
"""

from collections.abc import Mapping
from typing import ClassVar

from eventsourcing.application import Application
from eventsourcing.utils import Environment, EnvType

from ledger.store.log import Engine
from ledger.store.opening import AddressIsUnknown, engine_of

DATABASE_URL = "CUSTODY_DATABASE_URL"
CREATE_TABLE = "CREATE_TABLE"

_FACTORIES: Mapping[Engine, str] = {
    "sqlite": "ledger.store.sqlite.log:SQLiteLogFactory",
    "postgresql": "ledger.store.postgres.log:PostgresLogFactory",
}


def library_environment(url: str) -> dict[str, str]:
    """The library's configuration for the log at `url`, also for trackers and projections beside it."""
    return {
        DATABASE_URL: url,
        "PERSISTENCE_MODULE": _FACTORIES[engine_of(url)],
        "MAPPER_TOPIC": "ledger.store.mapper:LeafMapper",
        "ORIGINATOR_ID_TYPE": "text",
    }


class LedgerApplication(Application[str]):
    """The application whose sequence is the log; `notification_log` pages hold up to 5,000 events."""

    name = "custody"
    # The library's default of ten would make a follower ask a thousand times for a day's events.
    log_section_size = 5_000
    # A follower finds the tables or fails; `open_log(create=True)` makes them.
    env: ClassVar[dict[str, str]] = {CREATE_TABLE: "no"}

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        merged = super().construct_env(name, env)
        url = merged.get(DATABASE_URL)
        if not url:
            raise AddressIsUnknown
        merged.update(library_environment(url))
        return merged
