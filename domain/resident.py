"""The register as a running process holds it: whoever was named lately in memory, everybody else read back when named.

Memory follows what happens, not the years of history. The file of a person who has not been named for a while is put
away: what stays are its ids, the positions of its events, from which it is folded again when somebody asks for it, and
the place it counts at. A `Picture` says the same of the whole register, so that the next start folds what was in memory
and nothing else.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import chain

import msgspec

from domain.events.event import Event
from domain.files import person
from domain.files.person import PersonFile
from domain.known import Key, named
from domain.names import PersonId
from domain.register import File, Register, person_of_event

Read = Callable[[Sequence[int]], Sequence[Event]]
"""The recorded events at these positions, given in order."""

BACK_MAX = 1_024
"""How many files read back are kept for the next question."""
READ_MAX = 5_000


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Which parts of a register are in memory at a position, without their content; derived, never a record.

    `resident` are the positions of the events behind what is in memory. Of those put away: `people` maps each to the
    positions of its events, `ids` kind and id to the positions that recorded it first, `members` kind and place to
    the people tied to it. `days` are the UTC dates on which something was recorded, with the first position of each.
    Positions are packed, 8 bytes each in the order of this machine.
    """

    position: int
    resident: bytes
    people: dict[PersonId, bytes]
    ids: dict[str, dict[str, bytes]]
    members: list[tuple[str, str, list[str]]]
    days: list[tuple[date, int]]


class Resident(Register):
    """A register without one below it; `read` gives recorded events back. Its overlays are plain registers."""

    def __init__(self, read: Read) -> None:
        super().__init__()
        self._read = read
        self._lately: dict[PersonId, None] = {}
        """Whose file is in memory, by when it last changed."""
        self._people_away: dict[PersonId, bytes] = {}
        self._ids_away: dict[str, dict[str, bytes]] = {}
        self._back: dict[PersonId, tuple[bytes, PersonFile | None]] = {}
        self._origins_back: dict[bytes, tuple[Event, ...]] = {}

    # Putting away.

    def put_away(self, kept: int) -> None:
        """Let go of the files of all people, but for the `kept` that changed last."""
        while len(self._lately) > kept:
            id_ = next(iter(self._lately))
            del self._lately[id_]
            self._put_away(id_)

    def _put_away(self, id_: PersonId) -> None:
        # Whoever reads without a lock finds each thing in one of two places: it is noted as away before it goes.
        file = self._files[("person", id_)]
        assert isinstance(file, PersonFile)
        self._people_away[id_] = _packed(_positions(file))
        for kind, name in dict.fromkeys(key for event in file.events for key in named(event)):
            origins = self._origins.get((kind, name))
            if origins is not None:
                self._ids_away.setdefault(kind, {})[name] = _packed(event.position for event in origins)
                del self._origins[(kind, name)]
        for stream in {event.stream for event in file.events}:
            self._streams.pop(stream, None)
        del self._files[("person", id_)]

    def ids(self, kind: str) -> list[str]:
        """Every id of that kind that was ever recorded, sorted; scoped as in `origins`."""
        return sorted({*super().ids(kind), *self._ids_away.get(kind, ())})

    def recorded_first(self, kind: str, id_: str) -> int | None:
        """The position that recorded this id first, `None` if it is not known; scoped as in `origins`."""
        away = self._ids_away.get(kind, {}).get(id_)
        return super().recorded_first(kind, id_) if away is None else _unpacked(away)[0]

    def _file_away(self, key: Key) -> File | None:
        id_ = PersonId(key[1])
        positions = self._people_away.get(id_) if key[0] == "person" else None
        if positions is None:
            # It may have come back since it was looked for.
            return self._files.get(key)
        known = self._back.get(id_)
        if known is None or known[0] is not positions:
            file: PersonFile | None = None
            for event in self._read(_unpacked(positions)):
                file = person.evolve(file, event, self)
            if len(self._back) >= BACK_MAX:
                self._back.clear()
            self._back[id_] = known = (positions, file)
        return known[1]

    def _origins_away(self, key: Key) -> tuple[Event, ...]:
        positions = self._ids_away.get(key[0], {}).get(key[1])
        if positions is None:
            return self._origins.get(key, ())
        known = self._origins_back.get(positions)
        if known is None:
            if len(self._origins_back) >= BACK_MAX:
                self._origins_back.clear()
            self._origins_back[positions] = known = tuple(self._read(_unpacked(positions)))
        return known

    def _changed_last_away(self, person_id: PersonId) -> int:
        positions = self._people_away.get(person_id)
        if positions is not None:
            return _unpacked(positions)[-1]
        # It may have come back since it was looked for.
        file = self._files[("person", person_id)]
        assert isinstance(file, PersonFile)
        return file.events[-1].position

    def _is_away(self, key: Key) -> bool:
        return key[1] in self._ids_away.get(key[0], ()) or key in self._origins

    def _end_away(self, stream: str) -> tuple[int, str]:
        # The end of a stream is not noted again when its person comes back, only when it gets a further event.
        kind, _, id_ = stream.partition(":")
        if kind == "transfer" and self._is_away((kind, id_)):
            id_ = person_of_event(self._origins_away((kind, id_))[0])
        elif kind != "person":
            return (0, "")
        file = self.person(id_)
        events = file.events if file is not None else ()
        last = next((event for event in reversed(events) if event.stream == stream), None)
        return (last.stream_version, last.leaf_hash) if last is not None else (0, "")

    def _evolve_person(self, id_: PersonId, event: Event) -> None:
        # While a picture is restored, events of others' streams come by that a file put away holds already.
        away = self._people_away.get(id_)
        if away is None or event.position > _unpacked(away)[-1]:
            super()._evolve_person(id_, event)

    def _takes(self, overlay: Register) -> None:
        for kind, id_ in overlay._files:
            if kind == "person":
                self._touch(PersonId(id_))

    def _touch(self, id_: PersonId) -> None:
        self._people_away.pop(id_, None)
        self._lately.pop(id_, None)
        self._lately[id_] = None

    # Pictures.

    def picture(self) -> Picture:
        """What is in memory now, for the next start."""
        ids = {kind: dict(names) for kind, names in self._ids_away.items()}
        for (kind, name), origins in self._origins.items():
            # What several events recorded may be several people's, of whom one is away and another here.
            if len(origins) > 1 or name in ids.get(kind, ()):
                ids.setdefault(kind, {})[name] = _packed(event.position for event in origins)
        files = (file for file in self._files.values() if isinstance(file, PersonFile))
        resident = sorted({*self._lasting, *chain.from_iterable(map(_positions, files))})
        return Picture(
            position=self.position,
            resident=_packed(resident),
            people=dict(self._people_away),
            ids=ids,
            days=self._days,
            members=[
                (kind, place, [id_ for id_ in members if id_ in self._people_away])
                for (kind, place), members in self._members.items()
            ],
        )

    @classmethod
    def restored(cls, read: Read, picture: Picture) -> Resident:
        """The register of a picture of the same log, made by the same code."""
        register = cls(read)
        register._people_away = picture.people
        resident = _unpacked(picture.resident)
        for first in range(0, len(resident), READ_MAX):
            for event in read(resident[first : first + READ_MAX]):
                register.evolve(event)
        register._ids_away = picture.ids
        for kind, names in picture.ids.items():
            for name in names:
                register._origins.pop((kind, name), None)
        for kind, place, ids in picture.members:
            register._members.setdefault((kind, place), {}).update(dict.fromkeys(ids, True))
        register._counts = {key: len(members) for key, members in register._members.items()}
        people = [file for file in register._files.values() if isinstance(file, PersonFile)]
        for file in sorted(people, key=lambda file: _positions(file)[-1]):
            register._touch(file.person)
        register._days, register._day = picture.days, picture.days[-1][0]
        register.position = picture.position
        return register


def _positions(file: PersonFile) -> list[int]:
    return sorted([*(event.position for event in file.events), *(billed.position for billed in file.billed)])


def _packed(positions: Iterable[int]) -> bytes:
    return array("Q", positions).tobytes()


def _unpacked(packed: bytes) -> Sequence[int]:
    positions = array("Q")
    positions.frombytes(packed)
    return positions
