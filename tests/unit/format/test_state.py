"""The state of a site: equal roots for equal states, and codes that people can read out."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.format import state
from airlift.format.state import SiteState

DIGESTS = st.sets(st.integers(0, 9), max_size=4).map(
    lambda some: tuple(sorted(sha256(b"%d" % one) for one in some))
)
STATES = st.builds(
    SiteState,
    site=st.sampled_from(["plant7", "plant8"]),
    sequence=st.integers(0, 5),
    releases=DIGESTS,
    lacking=DIGESTS,
)
CODES = st.binary(min_size=8, max_size=8).map(lambda data: state.code(sha256(data)))


@given(one=STATES, other=STATES)
def test_two_states_have_one_root_only_where_they_are_one(
    one: SiteState, other: SiteState
) -> None:
    """Site, sequence, each release and each lost blob count."""
    assert (state.root(one) == state.root(other)) == (one == other)
    roots = {state.code(state.root(each)) for each in (one, other)}
    assert len(roots) == (1 if one == other else 2)


def test_a_root_is_what_the_format_says() -> None:
    """Another implementation computes the same from the document alone."""
    held = SiteState(site="plant7", sequence=5, releases=(Sha256("ab" * 32),))
    assert state.root(held) == sha256(
        b'{"format":"airlift/held/1","lacking":[],"releases":["' + b"ab" * 32 + b'"],'
        b'"sequence":5,"site":"plant7"}'
    )


@pytest.mark.parametrize(
    ("root", "code"),
    [
        ("0" * 64, "0000-0000-0000"),
        ("f" * 64, "ZZZZ-ZZZZ-ZZZZ"),
        ("00443214c74254b" + "9" * 49, "0123-4567-89AB"),
    ],
)
def test_a_code_is_the_first_sixty_bits(root: str, code: str) -> None:
    """Five bits a character, the highest first."""
    assert state.code(Sha256(root)) == code


@given(code=CODES, seed=st.integers(0, 1000))
def test_a_code_is_read_however_it_is_written(code: str, seed: int) -> None:
    """On paper 0 and O, 1, I and L are one; case and gaps say nothing."""
    chance = random.Random(seed)
    written = "".join(
        chance.choice({"0": "0oO", "1": "1iIlL"}.get(one, one + one.lower()))
        + chance.choice(["", "", " ", "-", ". "])
        for one in code.replace("-", "")
    )
    assert state.parse_code(f"  {written}\n") == code


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "`` has 0 characters, a state code 12"),
        ("7K3M-Q2ZA-9XW", "`7K3M-Q2ZA-9XW` has 11 characters, a state code 12"),
        ("7K3M-Q2ZA-9XWU", "`7K3M-Q2ZA-9XWU` is no state code: none has `U`"),
        ("7K3M\x1b[31m", "`7K3M\\x1b[31m` is no state code: none has `\\x1b`"),
    ],
)
def test_what_is_no_code_is_said_to_be_none(text: str, problem: str) -> None:
    """Before it is compared with anything: a slip is no contradiction."""
    with pytest.raises(RequestError) as caught:
        state.parse_code(text)
    assert caught.value.problem == problem


@given(code=CODES, data=st.data())
def test_a_slip_or_two_is_told_from_another_state(
    code: str, data: st.DataObject
) -> None:
    """One character misheard, or two neighbours swapped, must not condemn a site."""
    plain = list(code.replace("-", ""))
    at = data.draw(st.integers(0, len(plain) - 2))
    plain[at], plain[at + 1] = plain[at + 1], plain[at]
    swapped = state.parse_code("".join(plain))
    assert state.misheard(swapped, code) == (swapped != code)
    assert not state.misheard(code, code)
    other = data.draw(CODES)
    assert state.misheard(other, code) is False or other == swapped
