"""Leaves as the library sees them: the stored state is the leaf, the topic is the wire name.

The library would write its own JSON under a Python path. Here nothing is encoded and nothing
decoded: one byte string is written once and handed out as it was written (TRUST §1.2).
"""

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Cipher, Compressor, Mapper, StoredEvent, Transcoder


class LeafEvent(msgspec.Struct, gc=False, frozen=True):
    """A recorded event under the library's names: `originator_id` is the stream, `leaf` its canonical JSON."""

    originator_id: str
    originator_version: int
    type: str
    leaf: bytes


class LeafMapper(Mapper[str]):
    """The mapper of the log, also for stock followers: set `MAPPER_TOPIC` to its topic.

    Refuses a compressor or a cipher (ValueError): stored bytes are what was hashed.
    """

    def __init__(
        self, transcoder: Transcoder, compressor: Compressor | None = None, cipher: Cipher | None = None
    ) -> None:
        if compressor is not None or cipher is not None:
            raise ValueError("leaves are stored as they were hashed, neither compressed nor encrypted")
        super().__init__(transcoder)

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        assert isinstance(domain_event, LeafEvent), "events enter the log as leaves"
        return StoredEvent(
            domain_event.originator_id, domain_event.originator_version, domain_event.type, domain_event.leaf
        )

    def to_domain_event(self, stored_event: StoredEvent) -> LeafEvent:
        return LeafEvent(
            str(stored_event.originator_id), stored_event.originator_version, stored_event.topic, stored_event.state
        )
