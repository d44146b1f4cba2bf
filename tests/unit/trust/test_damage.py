"""Damaged and respelt records: refused as airlift errors, whatever the damage."""

import json
import random
import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlift.errors import AirliftError, FormatError
from airlift.trust import strict
from airlift.trust.delivery import TrustState
from airlift.trust.site import accept_root
from authority import SITE, Authority, key, land, model, role_of

EXHAUSTIVE_BYTES = 250
"""Records up to this size have every bit flipped; of longer ones every byte once."""


@dataclass(frozen=True)
class Sent:
    """A delivery, and a site that would believe it."""

    offered: dict[str, bytes]
    state: TrustState


def _make(factory: pytest.TempPathFactory, scheme: str) -> Sent:
    side = Authority(factory.mktemp(scheme) / "side", signers=[key("alice", scheme)])
    return Sent(offered=side.deliver(model("o/m")), state=side.state())


@pytest.fixture(name="sent", scope="module")
def _sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    return _make(tmp_path_factory, "ed25519")


@pytest.fixture(name="curve", scope="module")
def _curve(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    return _make(tmp_path_factory, "ecdsa-sha2-nistp256")


def flips(data: bytes) -> list[int]:
    """Return the bits of *data* to flip: all, or one of each byte."""
    if len(data) <= EXHAUSTIVE_BYTES:
        return list(range(len(data) * 8))
    chosen = random.Random(7)
    return [at * 8 + chosen.randrange(8) for at in range(len(data))]


@pytest.mark.parametrize("kind", range(8))
def test_no_flipped_bit_is_believed(sent: Sent, kind: int) -> None:
    """Every byte of every record is signed for or has one legal value."""
    name = sorted(sent.offered)[kind]
    data, believed = sent.offered[name], []
    for bit in flips(data):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            land(sent.offered | {name: bytes(damaged)}, sent.state)
        except AirliftError:
            continue
        believed.append(bit)
    assert believed == []


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_change_of_any_record_is_believed(sent: Sent, data: st.DataObject) -> None:
    """Cut, lengthened, overwritten: an airlift error, never another exception."""
    name = data.draw(st.sampled_from(sorted(sent.offered)))
    old = sent.offered[name]
    start = data.draw(st.integers(0, len(old)))
    stop = data.draw(st.integers(start, len(old)))
    new = old[:start] + data.draw(st.binary(max_size=40)) + old[stop:]
    if new == old:
        return
    with pytest.raises(AirliftError):
        land(sent.offered | {name: new}, sent.state)


@given(name=st.sampled_from(range(8)), junk=st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_no_junk_in_place_of_a_record_is_believed(
    sent: Sent, name: int, junk: bytes
) -> None:
    """A medium may hold anything."""
    with pytest.raises(AirliftError):
        land(sent.offered | {sorted(sent.offered)[name]: junk}, sent.state)


@pytest.mark.parametrize("kind", range(8))
@pytest.mark.parametrize("extra", [b" ", b"\n", b"\0", b"{}", b"x" * 100])
def test_a_byte_more_or_less_is_refused(sent: Sent, kind: int, extra: bytes) -> None:
    """Trailing bytes travel unsigned; a cut record is a lost one."""
    name = sorted(sent.offered)[kind]
    old = sent.offered[name]
    for new in (old + extra, extra + old, old[:-1], old[1:], old[: len(old) // 2], b""):
        with pytest.raises(AirliftError):
            land(sent.offered | {name: new}, sent.state)


METADATA = ["root", "targets", "site-plant7", "snapshot", "timestamp"]


def respell(data: bytes, how: str) -> bytes:
    """Return JSON that means the same to a lenient reader."""
    value = json.loads(data)
    text = data.decode()
    spelt: dict[str, Any] = {
        "indented": lambda: json.dumps(value, indent=1, sort_keys=True),
        "spaced": lambda: json.dumps(value, sort_keys=True),
        "reordered": lambda: json.dumps(
            dict(reversed(value.items())), separators=(",", ":")
        ),
        "escaped": lambda: text.replace("signatures", "signature\\u0073", 1),
        "newline": lambda: text + "\n",
        "bom": lambda: "\ufeff" + text,
        "duplicate signed": lambda: text[:-1] + ',"signed":{}}',
        "duplicate version": lambda: text.replace(
            '"version":', '"version":1,"version":', 1
        ),
        "float version": lambda: re.sub(r'("version":\d+)', r"\1.0", text),
        "exponent": lambda: re.sub(r'"version":(\d+)', r'"version":\g<1>e0', text),
        "extra field": lambda: text[:-1] + ',"x":1}',
        "unsigned note": lambda: '{"note":"trust me",' + text[1:],
    }
    made: str = spelt[how]()
    return made.encode()


HOWS = [
    *("indented", "spaced", "reordered", "escaped", "newline", "bom"),
    *("duplicate signed", "duplicate version", "float version", "exponent"),
    *("extra field", "unsigned note"),
]


@pytest.mark.parametrize("role", METADATA)
@pytest.mark.parametrize("how", HOWS)
def test_the_same_value_in_another_spelling_is_refused(
    sent: Sent, role: str, how: str
) -> None:
    """TUF signs a value, not bytes: it would take any spelling of it."""
    name = next(one for one in sent.offered if role_of(one) == role)
    with pytest.raises(FormatError):
        land(
            sent.offered | {name: respell(sent.offered[name], how)},
            sent.state,
        )


@pytest.mark.parametrize(
    "junk",
    [
        b"[" * 100_000,
        b'{"signed":' * 5_000,
        b'{"signatures":[],"signed":{"version":' + b"9" * 5_000 + b"}}",
        b'{"signatures":[],"signed":NaN}',
        b'{"signatures":[],"signed":1e999}',
        b'{"signatures":[],"signed":"\\ud800"}',
        b'{"signatures":[],"signed":"\xff"}',
        b"null",
        b"[]",
        b'{"signatures":{},"signed":{}}',
        b'{"signatures":[1],"signed":{}}',
        b'{"signatures":[],"signed":[]}',
    ],
)
@pytest.mark.parametrize("role", METADATA)
def test_hostile_json_is_refused_calmly(sent: Sent, role: str, junk: bytes) -> None:
    """Depth, size and odd numbers must end in a sentence, not in a crash."""
    name = next(one for one in sent.offered if role_of(one) == role)
    junk = junk[: strict.SITE_LIMIT]
    with pytest.raises(FormatError):
        land(sent.offered | {name: junk}, sent.state)


def test_signatures_on_a_curve_have_no_free_bits(curve: Sent) -> None:
    """ECDSA has twins and encodings that Ed25519 has not."""
    for role in ("timestamp", "root"):
        name = next(one for one in curve.offered if role_of(one) == role)
        data = curve.offered[name]
        start = data.index(b'"sig":"') + 7
        stop = data.index(b'"', start)
        for at in range(start, stop):
            for digit in b"1e":
                if digit == data[at]:
                    continue
                damaged = bytearray(data)
                damaged[at] = digit
                state = curve.state
                if role == "root":
                    state = TrustState(site=SITE, anchor=bytes(damaged))
                with pytest.raises(AirliftError):
                    land(curve.offered | {name: bytes(damaged)}, state)


def test_no_flipped_bit_of_a_root_is_accepted(sent: Sent) -> None:
    """The first installation reads it before anything else is known."""
    data = sent.offered["metadata/1.root.json"]
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(AirliftError):
            accept_root(bytes(damaged), site=SITE)
