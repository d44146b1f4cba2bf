"""Names in a drop folder survive every system between."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.outbound.drop_names import LONGEST, delivery_of, drop_name, rank

SITES = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\Z")
SEQUENCES = st.integers(1, 9_999_999)
MIDDLES = st.sampled_from(
    [".0001-of-0001.tar", ".99999-of-99999.tar", ".S0003-of-0006.spare"]
)
SUMS = st.sampled_from([".SHA256SUMS", ".SHA256SUMS.sig", ".SHA256SUMS.minisig"])


@given(SITES, SEQUENCES, MIDDLES | SUMS, st.integers(1, 99))
def test_every_name_fits_every_file_system(
    site: str, sequence: int, rest: str, turn: int
) -> None:
    """Gateways cut long names, and lose what is no small letter, digit or hyphen."""
    name = drop_name(f"AIRLIFT-{site}-{sequence:06d}{rest}", turn)
    assert len(name) <= LONGEST
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name)


@given(st.lists(st.tuples(SITES, SEQUENCES, MIDDLES | SUMS, st.integers(1, 5))))
def test_no_two_files_have_one_name(
    files: list[tuple[str, int, str, int]],
) -> None:
    """The second of one name is refused by one receiver and lost by the other."""
    names = [drop_name(f"AIRLIFT-{a}-{b:06d}{c}", turn) for a, b, c, turn in files]
    assert len(set(names)) == len(set(files))


def test_names_tell_what_was_sent_when() -> None:
    """People look at these folders; the names say what lies there."""
    assert [
        drop_name("AIRLIFT-plant7-000042.0003-of-0017.tar", 1),
        drop_name("AIRLIFT-plant7-000042.0003-of-0017.tar", 2),
        drop_name("AIRLIFT-plant7-000042.S0001-of-0002.spare", 3),
        drop_name("AIRLIFT-plant7-000042.SHA256SUMS.minisig", 2),
        drop_name(
            "AIRLIFT-a-site-with-a-very-long-name-123-000042.0003-of-0017.tar", 1
        ),
    ] == [
        "airlift-plant7-000042.0003-of-0017.tar",
        "airlift-plant7-000042.0003-of-0017.r2.tar",
        "airlift-plant7-000042.s0001-of-0002.r3.spare",
        "airlift-plant7-000042.r2.sha256sums.minisig",
        "airlift-a-site-with-a-very-lo-c64d16-000042.0003-of-0017.tar",
    ]


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "AIRLIFT-plant7-000042.README.txt", "AIRLIFT-plant7-42.tar", ".tar"],
)
def test_other_files_are_not_sent(name: str) -> None:
    """What lies beside a delivery for people on the way stays here."""
    assert delivery_of(name) is None


def test_what_speaks_for_a_file_comes_after_it() -> None:
    """A gateway that starts with the signature must find everything there."""
    front = "AIRLIFT-plant7-000042"
    names = [
        f"{front}.0001-of-0002.tar",
        f"{front}.0002-of-0002.tar",
        f"{front}.S0001-of-0001.spare",
        f"{front}.SHA256SUMS",
        f"{front}.SHA256SUMS.minisig",
        f"{front}.SHA256SUMS.sig",
    ]
    upside_down = names[::-1]
    assert sorted(upside_down, key=rank) == names
