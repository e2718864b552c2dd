"""Money: what is read and what is refused, how halves go, how a total is shared (MONEY §2)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.commands import AmountIn, Command, CurrencyCode, RateText, parse
from domain.money import EXPONENTS, MINOR_MAX, Money, RoundingMode, minor_units, read_amount, rounded, shares
from domain.refusals import Refusal


class Pay(Command):
    """A command with one of each."""

    name = "pay"
    amount: AmountIn | None = None
    rate: RateText | None = None
    currency: CurrencyCode | None = None


def refusal(**data: object) -> tuple[str, object] | None:
    try:
        parse(Pay, data)
    except Refusal as found:
        return found.code, found.data()["where"]
    return None


READ = {
    "all decimals": ("1643.70", "USD", 164370),
    "fewer decimals": ("1643.7", "USD", 164370),
    "no decimals": ("1643", "USD", 164300),
    "less than one": ("0.05", "EUR", 5),
    "negative": ("-0.05", "EUR", -5),
    "no minor unit": ("8", "JPY", 8),
    "three decimals": ("1.234", "KWD", 1234),
    "four decimals": ("1.2345", "CLF", 12345),
    "the largest": ("90071992547409.91", "USD", MINOR_MAX),
}


@pytest.mark.parametrize("case", READ)
def test_an_amount_is_read_exactly(case: str) -> None:
    text, currency, minor = READ[case]
    ask = parse(Pay, {"amount": {"amount": text, "currency": currency}})
    assert ask.amount is not None
    assert ask.amount.money == Money(minor, currency)


REFUSED: dict[str, tuple[object, object, str, str]] = {
    "a whole number": (1643, "USD", "amount-is-not-text", "/amount/amount"),
    "three decimals of dollars": ("1643.700", "USD", "amount-is-too-precise", "/amount"),
    "a decimal of yen": ("8.0", "JPY", "amount-is-too-precise", "/amount"),
    "a plus": ("+1.00", "USD", "amount-is-malformed", "/amount"),
    "an exponent": ("1e3", "USD", "amount-is-malformed", "/amount"),
    "separators": ("1,643.70", "USD", "amount-is-malformed", "/amount"),
    "minus nothing": ("-0", "USD", "amount-is-malformed", "/amount"),
    "minus nothing with decimals": ("-0.00", "USD", "amount-is-malformed", "/amount"),
    "a leading zero": ("01.00", "USD", "amount-is-malformed", "/amount"),
    "no whole part": (".50", "USD", "amount-is-malformed", "/amount"),
    "no decimals after the point": ("5.", "USD", "amount-is-malformed", "/amount"),
    "a blank": (" 5", "USD", "amount-is-malformed", "/amount"),
    "a line feed": ("5\n", "USD", "amount-is-malformed", "/amount"),
    "digits of another script": ("١", "USD", "amount-is-malformed", "/amount"),
    "nothing": ("", "USD", "amount-is-malformed", "/amount"),
    "an unknown currency": ("1.00", "ABC", "currency-is-unknown", "/amount/currency"),
    "lower case": ("1.00", "usd", "currency-is-unknown", "/amount/currency"),
    "gold": ("1", "XAU", "currency-is-unknown", "/amount/currency"),
    "special drawing rights": ("1", "XDR", "currency-is-unknown", "/amount/currency"),
    "too much": ("90071992547409.92", "USD", "amount-is-out-of-range", "/amount"),
    "far too much": ("9" * 5000, "USD", "amount-is-out-of-range", "/amount"),
    "null": (None, "USD", "body-is-malformed", "/amount/amount"),
    "a truth": (True, "USD", "body-is-malformed", "/amount/amount"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_amount_is_refused_at_the_edge(case: str) -> None:
    amount, currency, code, where = REFUSED[case]
    assert refusal(amount={"amount": amount, "currency": currency}) == (code, (where,))


def test_a_bare_number_is_no_amount() -> None:
    assert refusal(amount=1643) == ("amount-is-not-text", ("/amount",))
    assert refusal(rate=54) == ("amount-is-not-text", ("/rate",))


def test_a_rate_has_at_most_eight_decimals() -> None:
    assert refusal(rate="0.12345678") is None
    assert refusal(rate="0.123456789") == ("amount-is-too-precise", ("/rate",))
    assert refusal(rate="1_0") == ("amount-is-malformed", ("/rate",))
    assert refusal(rate="9" * 30) == ("amount-is-out-of-range", ("/rate",))
    assert refusal(rate="-1.00") is None


def test_a_malformed_body_comes_before_a_bad_amount() -> None:
    assert refusal(amount={"amount": "1.000", "currency": "USD"}, other=1) == ("body-is-malformed", ("/",))
    assert refusal(amount={"amount": "1.00", "currency": "USD", "cents": 1}) == ("body-is-malformed", ("/amount",))


EXPONENTS_LISTED = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}


def test_the_exponents_are_those_of_iso_4217() -> None:
    for exponent, codes in EXPONENTS_LISTED.items():
        assert {code for code, found in EXPONENTS.items() if found == exponent} == set(codes.split())
    assert {EXPONENTS[code] for code in ("USD", "EUR", "SEK", "NOK", "SVC", "GBP", "CHF")} == {2}
    assert not {"XAU", "XAG", "XDR", "XXX", "XTS", "XBA", "XSU", "XUA"} & set(EXPONENTS)


@given(st.integers(-MINOR_MAX, MINOR_MAX), st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_reads_back(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert read_amount(money.text, currency) == money
    assert len(money.text.partition(".")[2]) == EXPONENTS[currency]


HALVES: dict[RoundingMode, list[int]] = {
    "half-up": [1000, 1000, 1001, 1001, 1100, -1001],
    "half-even": [1000, 1000, 1000, 1001, 1100, -1000],
    "down": [1000, 1000, 1000, 1000, 1099, -1000],
}


@pytest.mark.parametrize("mode", HALVES)
def test_each_mode_rounds_its_own_way(mode: RoundingMode) -> None:
    exact = [Fraction(text) * 100 for text in ("10.000", "10.004", "10.005", "10.009", "10.999", "-10.005")]
    assert [rounded(one, mode) for one in exact] == HALVES[mode]
    assert rounded(Fraction(3, 2), "half-even") == 2


INDEXED = [
    ("154.46", "1.0067", "155.49"),
    ("100", "1.20", "120.00"),
    ("100", "0.80", "80.00"),
    ("240.07", "0.8799", "211.24"),
]


@pytest.mark.parametrize(("rate", "factor", "expected"), INDEXED)
def test_an_indexed_rate_is_rounded_once(rate: str, factor: str, expected: str) -> None:
    assert Money(rounded(Fraction(rate) * Fraction(factor) * 100, "half-up"), "USD").text == expected


PRICES = {
    "line amount": ("20000", 365, 31, "1698.63"),
    "leap-year basis": ("20000", 366, 29, "1584.70"),
    "per head from a lump, first": ("20000.00", 365, 1, "54.79"),
    "per head from a lump, second": ("15866.67", 365, 1, "43.47"),
    "the rounding trap": ("46.25", 1, 208, "9620.00"),
}


@pytest.mark.parametrize("case", PRICES)
def test_a_price_is_exact_until_it_is_rounded(case: str) -> None:
    rate, per, days, expected = PRICES[case]
    assert Money(rounded(minor_units(Decimal(rate), per, "USD") * days, "half-up"), "USD").text == expected


def test_a_lump_is_shared_by_largest_remainder() -> None:
    parts = shares(476_000_000, [Fraction(1)] * 300)
    assert parts == [1_586_667] * 200 + [1_586_666] * 100
    assert (sum(parts[:200]), sum(parts[200:])) == (317_333_400, 158_666_600)


SHARED: list[tuple[int, list[int], list[int]]] = [
    (100, [1, 1, 1], [34, 33, 33]),
    (-100, [1, 1, 1], [-34, -33, -33]),
    (5, [0, 3, 0, 1], [0, 4, 0, 1]),
    (0, [1, 2], [0, 0]),
    (1, [1, 2], [0, 1]),
]


@pytest.mark.parametrize(("total", "weights", "expected"), SHARED)
def test_shares(total: int, weights: list[int], expected: list[int]) -> None:
    assert shares(total, [Fraction(weight) for weight in weights]) == expected


@given(
    st.integers(-(10**12), 10**12),
    st.lists(st.fractions(min_value=0, max_value=1000), min_size=1, max_size=12).filter(any),
)
def test_shares_are_exact_and_fair(total: int, weights: list[Fraction]) -> None:
    parts, whole = shares(total, weights), sum(weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / whole) < 1
        assert weight or part == 0
