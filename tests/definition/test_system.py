"""System files: what the user says about the mount under test."""

from pathlib import Path

import pytest

from aibench.definition.system import load_system
from aibench.errors import DefinitionError, Refused

SMALL = """
vendor = "H3C"
product = "CX"
unit = "node"
units = 4
"""
FULL = SMALL + """
version = "7.1"
unit_definition = "one storage node with 24 NVMe drives"
nodes = 4
nics = 8
nic_rate = "100Gbit/s"
drives = 96
protection = "4+2 erasure code"
server_cache = "1TiB"
rack_units = 8
power_watts = 3200.5
price = 1000000
currency = "CNY"

[extra]
clients = "8, each with 2 x 100 Gbit/s"
"""  # fmt: skip


def written(tmp_path: Path, text: str, name: str = "system.toml") -> Path:
    """A system file with that text."""
    path = tmp_path / name
    path.write_text(text)
    return path


def test_four_keys_are_enough(tmp_path: Path) -> None:
    """Vendor, product, unit and number of units are all that a verdict needs."""
    system = load_system(written(tmp_path, SMALL))
    assert (system.vendor, system.product, system.unit, system.units) == ("H3C", "CX", "node", 4)
    assert (system.nodes, system.unit_definition, dict(system.extra)) == (None, "", {})


def test_rates_and_sizes_become_base_units(tmp_path: Path) -> None:
    """Rates become bytes per second and sizes bytes; the rest is kept as it was said."""
    system = load_system(written(tmp_path, FULL))
    assert system.nic_rate == 12_500_000_000
    assert system.server_cache_bytes == 2**40
    assert (system.rack_units, system.power_watts, system.price) == (8.0, 3200.5, 1e6)
    assert system.protection == "4+2 erasure code"
    assert system.extra["clients"].startswith("8, each")


def test_the_digest_is_that_of_what_is_said(tmp_path: Path) -> None:
    """Order, prefixes and comments make no difference to the digest; any value does."""
    first = load_system(written(tmp_path, FULL)).digest
    reordered = '# the same\nserver_cache = "1024GiB"\n' + FULL.replace(
        'server_cache = "1TiB"', ""
    ).replace("100Gbit/s", "12.5GB/s", 1)
    assert len(first) == 64
    assert load_system(written(tmp_path, reordered, "other.toml")).digest == first
    assert load_system(written(tmp_path, FULL.replace("units = 4", "units = 5"))).digest != first
    assert load_system(written(tmp_path, SMALL)).digest != first


def test_the_digest_of_the_smallest_file_is_known(tmp_path: Path) -> None:
    """The digest is the SHA-256 of the canonical JSON, so that others can compute it."""
    import hashlib

    canonical = b'{"extra":{},"product":"CX","unit":"node","units":4,"vendor":"H3C"}'
    digest = load_system(written(tmp_path, SMALL)).digest
    assert digest == hashlib.sha256(canonical).hexdigest()


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """A system file with several mistakes gives all of them, each with its line."""
    text = SMALL.replace("units = 4", "units = 0").replace('vendor = "H3C"\n', "") + (
        'nic_rate = "100G/s"\nserver_cache = 5\nracks = 2\n'
    )
    with pytest.raises(DefinitionError) as caught:
        load_system(written(tmp_path, text))
    told = [mistake.removeprefix(f"{tmp_path}/") for mistake in caught.value.mistakes]
    assert [line.split(": ")[:2] for line in told] == [
        ["system.toml", "vendor"],
        ["system.toml:4", "units"],
        ["system.toml:5", "nic_rate"],
        ["system.toml:6", "server_cache"],
        ["system.toml:7", "racks"],
    ]
    assert "is missing" in told[0]
    assert "ambiguous" in told[2]
    assert "needs a unit" in told[3]
    assert "unknown key; known: currency, drives" in told[4]


@pytest.mark.parametrize(
    "line",
    ['rack_units = "8"', "power_watts = inf", "price = 0", "nodes = 1.5", "nics = true",
     'protection = "\\u001b[31m"', 'nic_rate = "0GB/s"'],
)  # fmt: skip
def test_values_are_not_coerced(tmp_path: Path, line: str) -> None:
    """Text for numbers, infinite, zero and control characters are mistakes, each at its line."""
    with pytest.raises(DefinitionError, match=r"system\.toml:6: "):
        load_system(written(tmp_path, SMALL + line))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A system file that is not there is refused by its name."""
    with pytest.raises(Refused, match=r"none\.toml: no such file"):
        load_system(tmp_path / "none.toml")
