"""Comparing what a person wrote down with a key or a root."""

import hashlib

import pytest

from airlift.errors import RequestError
from airlift.trust import fingerprint

DATA = b"root"
ACTUAL = fingerprint.of_root(DATA)
HEX = hashlib.sha256(DATA).hexdigest()


def test_a_fingerprint_is_the_sha256_in_groups_of_eight() -> None:
    """It can be checked with `sha256sum` alone."""
    assert ACTUAL.groups.replace(" ", "") == HEX
    assert [len(group) for group in ACTUAL.groups.split()] == [8] * 8


@pytest.mark.parametrize(
    "text",
    [
        HEX,
        HEX.upper(),
        ACTUAL.groups,
        ":".join(HEX[at : at + 2] for at in range(0, 64, 2)),
        f"  {ACTUAL.words}\n",
        ACTUAL.words.title(),
    ],
)
def test_every_way_of_writing_it_down_matches(text: str) -> None:
    """A person should not have to type it exactly as airlift shows it."""
    assert ACTUAL.matches(text)


def test_another_root_does_not_match_in_either_form() -> None:
    """The comparison is the only thing between a site and a stranger's root."""
    other = fingerprint.of_root(b"another root")
    assert not ACTUAL.matches(other.groups)
    assert not ACTUAL.matches(other.words)


def test_every_single_digit_counts() -> None:
    """A prefix match would let an attacker choose the rest."""
    for at in range(64):
        digit = "0" if HEX[at] != "0" else "1"
        assert not ACTUAL.matches(HEX[:at] + digit + HEX[at + 1 :])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEX[:-1], f"`{HEX[:-1]}` is not 64 hexadecimal digits"),
        (
            " ".join(ACTUAL.words.split()[:15]),
            "a fingerprint has 16 words, here are 15",
        ),
        ("", "a fingerprint has 16 words, here are 0"),
    ],
)
def test_part_of_a_fingerprint_is_refused(text: str, message: str) -> None:
    """Comparing half of it is no comparison."""
    with pytest.raises(RequestError) as caught:
        ACTUAL.matches(text)
    assert str(caught.value) == message
