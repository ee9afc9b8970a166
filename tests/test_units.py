"""Sizes, rates, times and counts, to text and back."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from aibench.errors import UnitError
from aibench.units import (
    format_count,
    format_duration,
    format_rate,
    format_rate_binary,
    format_size,
    format_size_binary,
    format_value,
    parse_duration,
    parse_rate,
    parse_size,
)

BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10,
         "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}  # fmt: skip
TIMES = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9,
         "h": 3600 * 10**9, "d": 86400 * 10**9}  # fmt: skip
SPACE = st.sampled_from(["", " ", "  "])


@given(st.integers(0, 10**6), st.sampled_from(sorted(BYTES)), SPACE)
def test_sizes_are_whole_bytes(number: int, unit: str, space: str) -> None:
    """A number and a unit are that many bytes, with or without a space between."""
    assert parse_size(f"{number}{space}{unit}") == number * BYTES[unit]


@given(st.integers(1, 10**6), st.sampled_from(sorted(BYTES)))
def test_rates_are_bytes_per_second(number: int, unit: str) -> None:
    """A rate is a size followed by /s."""
    assert parse_rate(f"{number}{unit}/s") == number * BYTES[unit]


@given(st.integers(0, 10**5), st.sampled_from(sorted(TIMES)))
def test_times_are_whole_nanoseconds(number: int, unit: str) -> None:
    """A number and a unit of time are that many nanoseconds."""
    assert parse_duration(f"{number}{unit}") == number * TIMES[unit]


@given(st.integers(0, 2**62))
def test_decimal_sizes_survive_print_and_parse(size: int) -> None:
    """A printed size has three digits, so it comes back within half a per cent."""
    assert abs(parse_size(format_size(size)) - size) <= 0.005 * size + 0.5
    assert parse_rate(format_rate(size)) == parse_size(format_size(size))


@given(st.integers(0, 2**62))
def test_binary_sizes_print_within_half_a_per_cent(size: int) -> None:
    """A printed binary size is within half a per cent, and never shows four digits and a point."""
    number, unit = format_size_binary(size).split()
    factor = {**BYTES, "PiB": 2**50, "EiB": 2**60}[unit]
    assert abs(float(number) * factor - size) <= 0.005 * size + 0.5
    assert format_rate_binary(size) == f"{number} {unit}/s"


@given(st.integers(0, 86400 * 10**9))
@example(3659 * 10**9)
def test_times_print_within_one_per_cent(nanoseconds: int) -> None:
    """A printed time says what it was within 1 %."""
    parts = format_duration(nanoseconds).split()
    pairs = zip(parts[::2], parts[1::2], strict=True)
    printed = sum(float(number) * TIMES[unit] for number, unit in pairs)
    assert abs(printed - nanoseconds) <= 0.01 * nanoseconds + 0.5


@given(st.floats(min_value=1.0, max_value=1e18))
def test_three_digits_are_three_digits(value: float) -> None:
    """9.996 prints as 10.0 and not as 10.00: always three significant digits."""
    digits = format_count(value).split()[0]
    assume("." in digits)
    assert len(digits.replace(".", "")) == 3


def test_kilo_is_not_kibi() -> None:
    """`kB` is 1000 bytes and `KiB` is 1024; for G the two differ by 7.4 %."""
    assert (parse_size("4kB"), parse_size("4KiB")) == (4000, 4096)
    assert parse_size("1GiB") / parse_size("1GB") == pytest.approx(1.0737, abs=1e-4)


@pytest.mark.parametrize("letter", ["K", "k", "M", "G", "T", "P"])
@pytest.mark.parametrize("parse", [parse_size, lambda text: parse_rate(text + "/s")])
def test_a_bare_letter_is_refused_with_the_reason(letter: str, parse: Callable[[str], int]) -> None:
    """`4K` is refused, because it means either; the message names both ways to write it."""
    with pytest.raises(UnitError) as caught:
        parse(f"4{letter}")
    decimal = "kB" if letter in "kK" else f"{letter}B"
    assert f"'4{letter}' is ambiguous: write {decimal} for powers of 1000" in str(caught.value)
    assert f"{letter.upper()}iB for powers of 1024" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("4096", "has no unit"), ("", "is not a size"), ("-1B", "is not a size"),
     ("1.5B", "not a whole number of B"), ("9999EB", "too large"), ("5 parsecs", "no unit"),
     ("nan B", "is not a size"), ("1e999GB", "too large"), ("1" * 99, "is not a size")],
)  # fmt: skip
def test_what_is_not_a_size_is_refused(text: str, said: str) -> None:
    """Text that is no size is an error that says what is wrong with it."""
    with pytest.raises(UnitError, match=said):
        parse_size(text)


def test_a_rate_needs_its_per_second() -> None:
    """`20GB` is a size; a rate says `/s`, and network rates may be in bits."""
    with pytest.raises(UnitError, match="needs '/s'"):
        parse_rate("20GB")
    assert parse_rate("100Gbit/s") == 12_500_000_000


@given(st.text(max_size=70), st.sampled_from([parse_size, parse_rate, parse_duration]))
def test_no_text_breaks_the_parsers(text: str, parse: Callable[[str], int]) -> None:
    """Any text is either a value of 0 or more, or a `UnitError`."""
    with suppress(UnitError):
        assert parse(text) >= 0


@pytest.mark.parametrize(
    ("value", "unit", "printed"),
    [(20e9, "B/s", "20.0 GB/s"), (9.996e9, "B/s", "10.0 GB/s"), (999.7e6, "B/s", "1.00 GB/s"),
     (4096, "B", "4.10 kB"), (12_000_000, "op/s", "12.0 Mop/s"), (300, "op/s", "300 op/s"),
     (1_250_000, "ns", "1.25 ms"), (0.5, "1", "0.5"), (0.003, "1", "0.003"), (1e12, "1", "1.00 T"),
     (0.00001, "1", "1.0e-05"), (0, "B/s", "0 B/s")],
)  # fmt: skip
def test_values_print_by_their_base_unit(value: float, unit: str, printed: str) -> None:
    """Each base unit prints with the prefix that reads best."""
    assert format_value(value, unit) == printed


@pytest.mark.parametrize(
    ("nanoseconds", "printed"),
    [(0, "0 ns"), (999, "999 ns"), (999.7, "1.00 µs"), (125 * 10**9, "2 min 05 s"),
     (3_725 * 10**9, "1 h 02 min"), (59.6 * 10**9, "59.6 s")],
)  # fmt: skip
def test_times_print_in_the_unit_that_reads_best(nanoseconds: float, printed: str) -> None:
    """Long times print as minutes and hours, short ones with three digits."""
    assert format_duration(nanoseconds) == printed
