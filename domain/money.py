"""Money as whole minor units of one currency; nothing here ever touches a float (MONEY §2).

An amount comes in as text and is read strictly: no digit is dropped, none is guessed. Between a price and an amount
stand exact fractions, rounded once, where the agreement says so. `Money` is what readers come for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal

import msgspec

RoundingMode = Literal["half-up", "half-even", "down"]
Fault = Literal[
    "amount-is-not-text",
    "amount-is-too-precise",
    "amount-is-malformed",
    "currency-is-unknown",
    "amount-is-out-of-range",
]
"""What can be wrong with an amount as it comes in; each is the code of an edge refusal."""

MINOR_MAX: Final = 2**53 - 1
"""The largest number of minor units either way: every JSON reader keeps it exactly."""
RATE_DECIMALS_MAX: Final = 8
_DIGITS_MAX: Final = 20

_BY_EXPONENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
    "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
    "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
    "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP "
    "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER "
    "ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: Mapping[str, int] = MappingProxyType(
    {code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}
)
"""Currency → how many decimals its minor unit takes (ISO 4217, circulating codes; gold and the like have none)."""

_AMOUNT = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?")


class Money(msgspec.Struct, gc=False, frozen=True, order=True):
    """An exact amount: `minor` counts the smallest unit of `currency` (ISO 4217)."""

    minor: int
    currency: str

    def __add__(self, other: Money) -> Money:
        """The sum of two amounts of one currency; currencies are never added."""
        assert self.currency == other.currency, "a sum of two currencies"
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        """The difference of two amounts of one currency."""
        assert self.currency == other.currency, "a difference of two currencies"
        return Money(self.minor - other.minor, self.currency)

    @property
    def text(self) -> str:
        """The amount with exactly the decimals of its currency, `1643.70`."""
        exponent = EXPONENTS[self.currency]
        digits = str(abs(self.minor)).rjust(exponent + 1, "0")
        sign = "-" if self.minor < 0 else ""
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}" if exponent else f"{sign}{digits}"


class AmountFault(ValueError):
    """An amount, a rate or a currency as it came in is refused; `code` says why, the text itself is not kept."""

    def __init__(self, code: Fault) -> None:
        super().__init__(code)
        self.code: Final[Fault] = code


def read_amount(amount: str, currency: str) -> Money:
    """The money that a decimal text means; raises `AmountFault`. Fewer decimals than the currency's are exact too."""
    sign, whole, fraction = _parts(amount)
    exponent = exponent_of(currency)
    if len(fraction) > exponent:
        raise AmountFault("amount-is-too-precise")
    digits = whole + fraction.ljust(exponent, "0")
    # A hostile length is told before the number is computed.
    if len(digits) > _DIGITS_MAX or int(digits) > MINOR_MAX:
        raise AmountFault("amount-is-out-of-range")
    return Money(-int(digits) if sign else int(digits), currency)


def read_rate(rate: str) -> Decimal:
    """The exact value of a price; raises `AmountFault` where it is no plain decimal text of at most 8 decimals."""
    _, whole, fraction = _parts(rate)
    if len(fraction) > RATE_DECIMALS_MAX:
        raise AmountFault("amount-is-too-precise")
    if len(whole) > _DIGITS_MAX or int(whole) > MINOR_MAX:
        raise AmountFault("amount-is-out-of-range")
    return Decimal(rate)


def exponent_of(currency: str) -> int:
    """The decimals of a currency; raises `AmountFault` for an unknown code and for one without a minor unit."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise AmountFault("currency-is-unknown") from None


def _parts(text: str) -> tuple[str, str, str]:
    match = _AMOUNT.fullmatch(text)
    if match is None or (match[1] and not (match[2] + (match[3] or "")).strip("0")):
        raise AmountFault("amount-is-malformed")
    return match[1], match[2], match[3] or ""


def rounded(exact: Fraction, mode: RoundingMode) -> int:
    """The whole number for `exact`; halves go away from zero, or to the even neighbour; `down` is towards zero."""
    whole, rest = divmod(abs(exact.numerator), exact.denominator)
    twice = 2 * rest
    up = twice > exact.denominator or (twice == exact.denominator and (mode == "half-up" or whole % 2 == 1))
    if mode != "down" and up:
        whole += 1
    return -whole if exact < 0 else whole


def minor_units(rate: Decimal, per: int, currency: str) -> Fraction:
    """The exact price of one unit, `rate` / `per`, in minor units of the currency."""
    scale: int = 10 ** EXPONENTS[currency]
    return Fraction(rate) * scale / per


def shares(total: int, weights: Sequence[Fraction]) -> list[int]:
    """Share `total` by largest remainder: the sum is exact, ties go by order, a weight of zero gets nothing.

    Weights are not negative and one of them is positive. A negative total is shared by its absolute value.
    """
    whole = sum(weights, Fraction(0))
    assert whole > 0, "there is nothing to allocate to"
    exact = [abs(total) * weight / whole for weight in weights]
    floors = [share.numerator // share.denominator for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: floors[index] - exact[index])
    for index in by_remainder[: abs(total) - sum(floors)]:
        floors[index] += 1
    return [-share for share in floors] if total < 0 else floors
