"""Bundles of Sigstore's, damaged in thousands of ways: a verdict on each, and no more.

What looks at them is a tower of libraries for JSON, certificates, timestamps and logs.
Where a mutant is wrong follows from its number alone; keys are new each time.
"""

import base64
import copy
import json
import random
from collections.abc import Iterator
from typing import Any, Final

import pytest

from airlift.format import oms
from airlift.trust import attestation
from attestations import entry, model
from sigstores import IDENTITY, ISSUER, REKOR, Sigstore

COUNT: Final = 3000
ODD: Final[tuple[Any, ...]] = (
    *(None, 0, -1, True, "", "0", "-1", "9999999999", str(2**63), "9" * 40, "AA=="),
    *([], {}, [{}], "a\u0000b", "\ud83d\ude00"),
)
"""What stands where something else is expected."""
WORLD = Sigstore()
SOUND = WORLD.bundle(oms.statement(model()))
BY = WORLD.signatory()
WHO = f"{IDENTITY} (known to {ISSUER}; logged 2026-03-01T11:59:00Z by {REKOR})"


def _places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value in *value* but itself."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, below in inside:
        yield (*way, key)
        if isinstance(below, dict | list):
            yield from _places(below, (*way, key))


PLACES: Final = tuple(_places(SOUND))


def _spoilt(text: str, chance: random.Random) -> str:
    """Return *text* with a few bytes of what it stands for changed, cut or put in."""
    try:
        raw, coded = bytearray(base64.b64decode(text, validate=True)), True
    except ValueError:
        raw, coded = bytearray(text.encode(errors="surrogatepass")), False
    for _ in range(chance.choice((1, 1, 2, 6))):
        at = chance.randrange(len(raw) + 1)
        raw[at : at + chance.choice((0, 1, 1, 1, 9))] = chance.randbytes(
            chance.choice((0, 1, 1, 1, 3))
        )
    return base64.b64encode(raw).decode() if coded else raw.decode("latin-1")


def mutant(number: int) -> bytes:
    """Return the bundle, wrong in one place or two."""
    chance = random.Random(number)
    told = copy.deepcopy(SOUND)
    for _ in range(chance.choice((1, 1, 2))):
        way = chance.choice(PLACES)
        at: Any = told
        try:
            for key in way[:-1]:
                at = at[key]
            if chance.random() < 0.3:
                at[way[-1]] = chance.choice(ODD)
            elif isinstance(at[way[-1]], str):
                at[way[-1]] = _spoilt(at[way[-1]], chance)
            else:
                del at[way[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # the first change took that place away
    return json.dumps(told).encode()


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_each_gets_a_verdict_and_none_says_anything_else() -> None:
    """No crash, and no other name, time or log; a few change nothing that is signed."""
    valid, problems = 0, set()
    for number in range(COUNT):
        data = mutant(number)
        found = attestation.judge(model(), entry(data, BY), data)
        problems.add(found.problem)
        if not found.problem:
            valid += 1
            assert found.by == (WHO,), number
    assert valid < COUNT / 10
    assert len(problems) > 60
