"""The load of money: an agreement with a price, custody of months past under it, and the bills of those months.

Each life has an agreement, a series and places of its own, and tells what it knows to the others, who close, bill,
approve and pay what they like of it, corrected and doubled. What an invoice comes to is learnt by asking to approve it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from tests.chaos import lives, mending
from tests.chaos.asking import Ask, Life, Step, day
from tests.model.answers import Json
from tests.scene import COURT, DIGEST, EAST, EVIDENCE, KEEPER, N1, NORTH, TERMS, WATCH, basis, offer, opening

ZONES_PRICED: Final = ("Europe/Stockholm", "America/El_Salvador", "Pacific/Auckland")
RATES: Final = (("54.79", 1), ("20000.00", 365), ("15866.67", 365))
HALVES: Final = {"USD": "46.255", "JPY": "4625.5", "KWD": "4.6255"}
"""A price that ends in half of the smallest amount."""
CURRENCIES: Final = {"USD": "0.01", "JPY": "1", "KWD": "0.001"}
"""A small amount of each."""
MONTHS_MAX: Final = 3
PLACE_MONTHS: Final = 5
"""So many months back agreements and sentences begin."""


def month(back: int) -> tuple[date, date]:
    """The first and last date of the month so many months before this one, after it where negative."""
    first = datetime.now(UTC).date().replace(day=1)
    for _ in range(abs(back)):
        first = (first + timedelta(days=31 if back < 0 else -1)).replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


@dataclass(slots=True)
class Account:
    """One agreement with a price, as far as the clients know of it together.

    `months` are as commands name them, `signature` what the other treasury signs, `numbers` the invoices, `payable`
    what a refusal told is to pay.
    """

    agreement: str
    place: str
    beside: str
    currency: str
    zone: str
    months: list[Json]
    signature: Json = field(default_factory=dict)
    person: str = ""
    numbers: list[str] = field(default_factory=list)
    payable: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Clock:
    """A time in the past that goes on with each thing that happens then."""

    instant: datetime
    zone: str
    random: Random

    def later(self, hours_max: int) -> str:
        """A while later, now and then at once or just when a day ends there, never later than a minute ago."""
        if self.random.randrange(8):
            self.instant += timedelta(minutes=self.random.randrange(1, hours_max * 60))
        if self.random.randrange(8) == 0:
            there = self.instant.astimezone(ZoneInfo(self.zone)) + timedelta(days=1)
            self.instant = there.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
        self.instant = min(self.instant, datetime.now(UTC) - timedelta(minutes=1))
        return self.instant.isoformat(timespec="milliseconds")


class Guest(NamedTuple):
    """A person and where their clock stands."""

    person: str
    clock: Clock


def accounts(name: str, random: Random, known: list[Account], told: mending.Told) -> Life:
    """Accounts one after the other, without end. Whom one lets go the next may take, when the first has been billed."""
    number, guest = 0, None
    while True:
        number += 1
        guest = yield from account(f"{name}-{number}", random, known, told, guest)


def account(
    name: str, random: Random, known: list[Account], told: mending.Told, guest: Guest | None
) -> Generator[Ask, Json | None, Guest | None]:
    """One agreement from its draft to the payment of what custody under it has cost; returns whom it has let go."""
    months = MONTHS_MAX if guest is not None else random.randint(1, MONTHS_MAX)
    periods = [{"from": str(first), "to": str(last)} for first, last in map(month, range(months, 0, -1))]
    currency, zone = random.choice(tuple(CURRENCIES)), random.choice(ZONES_PRICED)
    own = Account(f"a-{name}", f"f-{name}", f"g-{name}", currency, zone, periods)
    yield from agreed(own, name, random)
    own.person = f"p-{name}"
    known.append(own)
    if guest is not None:
        yield from again(own, guest, random, told)
    clock = Clock(datetime.combine(month(months)[0], datetime.min.time(), UTC), zone, random)
    clock.later(24 * 20)
    yield from held(own, own.person, clock, random, told)
    if random.randrange(2):
        # The last month first, which leaves an earlier one behind if somebody earned a day in it.
        yield Ask(EAST, "close-period", {"agreement": own.agreement, "period": periods[-1]})
    for period in periods:
        yield from billed(own, period, random)
    for number in list(own.numbers):
        yield from paid(own, number, random)
    return Guest(own.person, clock) if random.randrange(2) else None


def agreed(own: Account, name: str, random: Random) -> Life:
    """An agreement and places, and a price that one treasury proposes and the other signs."""
    for place in (own.place, own.beside):
        fields: Json = {"facility": place, "authority": EAST, "state": "SE", "zone": own.zone, "kind": "prison"}
        yield Ask(KEEPER, "register-facility", {**fields, "recognised_by": DIGEST, "supervising_authority": WATCH})
    parties = [{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "receiving"}]
    terms: Json = {"agreement": own.agreement, "revision": 1, "parties": parties, "legal_bases": ["custody-contract"]}
    first = month(PLACE_MONTHS)[0]
    drafted = yield Ask(NORTH, "draft-agreement", {**terms, "terms": TERMS, "from": str(first), "to": day(365)})
    assert drafted is not None
    for party in (NORTH, EAST):
        digest = {"terms_digest": drafted["told"]["terms_digest"]}
        yield Ask(party, "sign-agreement", {"agreement": own.agreement, "revision": 1, **digest})
    proposer, other = random.choice(((EAST, NORTH), (NORTH, EAST)))
    proposed = yield Ask(proposer, "propose-fee-schedule", proposal(own, name, random))
    assert proposed is not None
    own.signature = {"agreement": own.agreement, "schedule": f"s-{own.agreement}", **proposed["told"]}
    if random.randrange(4) == 0:
        yield Ask(other, "sign-fee-schedule", {**own.signature, "proposal_digest": DIGEST})
        yield Ask(proposer, "sign-fee-schedule", own.signature)
    yield Ask(other, "sign-fee-schedule", own.signature)


def proposal(own: Account, name: str, random: Random) -> Json:
    """A price, and how days are counted and amounts rounded."""
    rate, per = random.choice((*RATES, (HALVES[own.currency], 1)))
    first = month(PLACE_MONTHS)[0]
    fields: Json = {"agreement": own.agreement, "schedule": f"s-{own.agreement}", "revision": 1, "payee": EAST}
    fields |= {"payer": NORTH, "currency": own.currency, "valid": {"from": str(first)}}
    fields |= {"facilities": [own.place, own.beside][: random.randint(1, 2)]}
    fields |= {"series": name.upper().replace("-", "X"), "terms_days": random.randint(25, 35), "dispute_days": 30}
    row: Json = {"rate": rate, "per": per, "from": str(first)}
    if random.randrange(8) == 0:
        row["from"] = str(month(1)[0])
    fields["components"] = [{"model": "per-diem", "rates": [row]}]
    fields["day_rule"] = random.choice(("arrival-not-departure", "arrival-not-departure", "midnight", "both-ends"))
    if random.randrange(2):
        fields["same_day"] = random.randrange(2)
    fields["billing"] = {"period": "calendar-month", "close_after_days": 0}
    if random.randrange(3):
        mode, place = random.choice(("half-up", "half-even", "down")), ("line-amount", "rate-first", "on-total")
        fields["rounding"] = {"mode": mode, "place": random.choice(place)}
    return fields


def held(own: Account, person: str, clock: Clock, random: Random, told: mending.Told) -> Life:
    """A person taken in by north, handed over under the agreement, moved about and perhaps let go, all in the past."""
    known = {"person": person, "identity_status": "established", "attributes": {}, "occurred_at": clock.later(24)}
    yield Ask(NORTH, "register-person", known)
    ends = str(month(1)[0] + timedelta(days=random.randrange(20))) if random.randrange(8) == 0 else day(700)
    sentence = basis(f"b-{person}", valid_from=str(month(PLACE_MONTHS)[0]), must_end_by=ends)
    yield Ask(NORTH, "record-basis", {"person": person, **sentence, "occurred_at": clock.later(24)})
    taken = opening(N1, person, deprived_at=clock.later(24), occurred_at=clock.later(24))
    yield from told.of(person, Ask(NORTH, "open-custody", {"person": person, **taken}))
    if not (yield from handed_over(own, person, clock, told)):
        return
    place = own.place
    if random.randrange(6) == 0:
        # Moved on at the instant of the acceptance, which is then told again: it stands before the move all the same.
        at = {"occurred_at": clock.instant.isoformat(timespec="milliseconds")}
        moved = yield from told.of(person, Ask(EAST, "record-move-within", lives.move(person, place, own.beside) | at))
        place = own.beside if moved is not None else place
        yield from told.of(person, told.accepted(person, random, mending.AT_ONCE))
    for _ in range(random.randrange(4)):
        place = yield from changed(own, person, place, clock, random, told)
    if random.randrange(3):
        yield from let_go(person, place, clock, random, told)
    if random.randrange(2):
        yield from told.mended(person, random)


def again(own: Account, guest: Guest, random: Random, told: mending.Told) -> Life:
    """A person whom another account has let go is taken in and handed over within hours, perhaps on the same date."""
    person, clock = guest
    taken = opening(N1, person, deprived_at=clock.later(2), occurred_at=clock.later(2))
    yield from told.of(person, Ask(NORTH, "open-custody", {"person": person, **taken}))
    if (yield from handed_over(own, person, clock, told, own.agreement, pace=2)) and random.randrange(2):
        # It turns out to have been days earlier: on dates for which the other account has been billed.
        yield from told.of(person, told.accepted(person, random, mending.EARLIER))


def handed_over(own: Account, person: str, clock: Clock, told: mending.Told, name: str = "", pace: int = 24) -> Step:
    """A transfer under the agreement, its offer and its acceptance, some `pace` hours apart."""
    transfer, handover, at = f"t-{name or person}", f"h-{name or person}", clock.later(pace * 3)
    window = {"window_from": at[:10], "window_to": day(14), "to_facility": own.place, "agreement": own.agreement}
    request = lives.request(transfer, person, N1, **window)
    yield Ask(NORTH, "request-transfer", {**request, "occurred_at": at})
    for by, rule_set, condition in EVIDENCE:
        yield Ask(by, "evidence-condition", lives.evidence(transfer, rule_set, condition))
    kept = {"facility": own.place, "from": at[:10], "to": day(14)}
    yield Ask(EAST, "approve-transfer", {"transfer": transfer, "as": "receiving", "reserved": kept})
    receiving = {"authority": EAST, "facility": own.place}
    halves = offer(handover, transfer, place=own.place, receiving=receiving, occurred_at=clock.later(pace))
    offered = yield Ask(NORTH, "offer-handover", halves)
    if offered is None:
        return False
    fields = lives.acceptance(handover, offered["events"][0]["leaf_hash"])
    fields |= {"receiving": {**receiving, "officer": f"{EAST}-2"}, "place": own.place}
    accepted = yield from told.of(person, Ask(EAST, "accept-handover", {**fields, "occurred_at": clock.later(pace)}))
    return accepted is not None


def changed(
    own: Account, person: str, place: str, clock: Clock, random: Random, told: mending.Told
) -> Generator[Ask, Json | None, str]:
    """A move to the other place, or a presence that may contradict; returns where the person then is."""
    at = clock.later(24 * 12)
    if random.randrange(3) == 0:
        seen = lives.presence(person, random.choice((N1, own.place, own.beside)), "seen")
        yield from told.of(person, Ask(WATCH, "report-presence", {**seen, "occurred_at": at}))
        return place
    to = own.beside if place == own.place else own.place
    move = {**lives.move(person, place, to), "occurred_at": at}
    if random.randrange(4) == 0:
        move["mode"] = "report"
    return to if (yield from told.of(person, Ask(EAST, "record-move-within", move))) is not None else place


def let_go(person: str, place: str, clock: Clock, random: Random, told: mending.Told) -> Life:
    """Ordered, sometimes overdue, and released; perhaps verified, or told as a report."""
    release, at = f"r-{person}", clock.later(24 * 10)
    order: Json = {"person": person, "release": release, "ground": "court-order", "bases": [f"b-{person}"]}
    order |= {"due_at": at, "instrument": DIGEST, "occurred_at": at}
    if random.randrange(3):
        yield Ask(COURT, "order-release", order)
    freed = {**lives.release_from(person, release, place), "occurred_at": clock.later(24 * 4)}
    if random.randrange(3) == 0:
        freed["mode"] = "report"
    yield from told.of(person, Ask(EAST, "record-release", freed))
    if random.randrange(2):
        verified = {**lives.verification(person, release), "occurred_at": clock.later(24)}
        yield from told.of(person, Ask(WATCH, "verify-release", verified))


# Bills.


def billed(own: Account, period: Json, random: Random) -> Life:
    """A month closed and billed, sometimes asked for too early or twice."""
    asked: Json = {"agreement": own.agreement, "period": period}
    if random.randrange(4) == 0:
        yield Ask(EAST, "issue-invoice", asked)
    yield Ask(EAST, "close-period", asked)
    issued = yield Ask(EAST, "issue-invoice", asked)
    if issued is not None and issued["told"]["number"] not in own.numbers:
        own.numbers.append(issued["told"]["number"])
    if random.randrange(4) == 0:
        yield Ask(EAST, "issue-invoice", asked)


def amount(own: Account, value: str | None = None) -> Json:
    """An amount in the currency of the agreement; a small one where none is given."""
    return {"amount": value if value is not None else CURRENCIES[own.currency], "currency": own.currency}


def approval(own: Account, number: str, officer: int) -> Ask:
    """An officer of the payer approves what is known to be payable."""
    payable = own.payable.get(number, amount(own))
    return Ask(NORTH, "approve-invoice", {"number": number, "payable": payable}, f"{NORTH}-{officer}", hears=True)


def heard(own: Account, number: str, told: Json | None) -> None:
    """What a refusal says is payable."""
    if told is not None and "payable" in told and number in own.numbers:
        own.payable[number] = told["payable"]


def payment(own: Account, id_: str, total: Json, **parts: Json) -> Ask:
    """The payee states that so much has arrived, for these invoices."""
    allocations = [{"invoice": number, "amount": part} for number, part in parts.items()]
    fields: Json = {"payment": id_, "agreement": own.agreement, "amount": total, "external_ref": id_}
    return Ask(EAST, "record-payment", {**fields, "value_date": day(0), "allocations": allocations})


def paid(own: Account, number: str, random: Random) -> Life:
    """Approved by two officers and paid, in part first, then too much, then the rest."""
    for officer in (1, 1, 2, 2):
        heard(own, number, (yield approval(own, number, officer)))
    payable = own.payable.get(number, amount(own))
    small = amount(own)
    if random.randrange(2):
        yield payment(own, f"y-{number}-1".lower(), small, **{number: small})
        yield payment(own, f"y-{number}-2".lower(), payable, **{number: payable})
        heard(own, number, (yield approval(own, number, 3)))
    rest = own.payable.get(number, payable)
    yield payment(own, f"y-{number}-3".lower(), rest, **{number: rest})


def guessed(name: str, random: Random, known: list[Account]) -> Ask:
    """Anything about anybody's bills, however little it fits."""
    own = random.choice(known)
    number = random.choice(own.numbers) if own.numbers and random.randrange(10) else f"{own.agreement.upper()}-0009"
    return random.choice(GUESSES)(name, random, own, number)


def _guessed_month(name: str, random: Random, own: Account, number: str) -> Ask:
    period = random.choice(own.months)
    if random.randrange(5) == 0:
        first, last = month(random.choice((0, 1, -1)) if random.randrange(2) else random.choice((4, 6)))
        period = {"from": str(first), "to": str(last)}
    fields: Json = {"agreement": own.agreement, "period": period}
    act = random.choice(("close-period", "issue-invoice"))
    if act == "issue-invoice" and random.randrange(8) == 0:
        fields["preview_digest"] = DIGEST
    return Ask(EAST, act, fields)


def _guessed_approval(name: str, random: Random, own: Account, number: str) -> Ask:
    return approval(own, number, random.randrange(1, 4))


def _guessed_payment(name: str, random: Random, own: Account, number: str) -> Ask:
    payable, small = own.payable.get(number, amount(own)), amount(own)
    parts = {} if random.randrange(4) == 0 else {number: random.choice((small, payable, payable))}
    total = random.choice((small, payable, amount(own, "100000"), amount(own, "0")))
    if random.randrange(10) == 0:
        total = {**total, "amount": "7", "currency": random.choice(tuple(CURRENCIES))}
    id_ = f"y-{name}" if random.randrange(5) else f"y-{number}-1".lower()
    return payment(own, id_, total, **parts)


def _guessed_signature(name: str, random: Random, own: Account, number: str) -> Ask:
    return Ask(random.choice((EAST, NORTH)), "sign-fee-schedule", own.signature)


def _guessed_price(name: str, random: Random, own: Account, number: str) -> Ask:
    fields = proposal(own, name, random)
    fields |= {"schedule": random.choice((fields["schedule"], f"s-{name}"))}
    match random.randrange(8):
        case 0:
            fields["payer"] = EAST
        case 1:
            fields["components"] = []
        case 2:
            fields["valid"] = {"from": str(month(0)[0]), "to": str(month(1)[0])}
        case 3:
            fields["facilities"] = [N1]
        case 4:
            fields["components"][0]["rates"][0]["rate"] = "-54.79"
        case 5:
            fields["series"] = own.agreement.upper()[2:].replace("-", "X")
        case 6:
            fields["agreement"] = "a1"
        case 7:
            fields["valid"] = {"from": str(month(-2)[0])}
            fields["facilities"] = [own.place]
    return Ask(random.choice((EAST, NORTH)), "propose-fee-schedule", fields)


Guess = Callable[[str, Random, Account, str], Ask]
GUESSES: Final[tuple[Guess, ...]] = (
    _guessed_month,
    _guessed_month,
    _guessed_month,
    _guessed_approval,
    _guessed_approval,
    _guessed_payment,
    _guessed_payment,
    _guessed_price,
    _guessed_signature,
)
