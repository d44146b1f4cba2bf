"""Receipts are believed by the key of their site, and by nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.digest import sha256
from airlift.errors import FormatError, TrustError
from airlift.format import receipt as record
from airlift.format.receipt import Receipt
from airlift.format.state import SiteState
from airlift.trust import receipt, site_key
from airlift.trust.site_key import Purpose, SiteKey


def told(site: str = "plant7", number: int = 1) -> Receipt:
    """Return a receipt of a site that has taken nothing yet."""
    return Receipt(
        number=number,
        previous=None if number == 1 else sha256(b"before"),
        time="2026-11-23T12:00:00Z",
        state=SiteState(site=site, sequence=0),
        dispatch=None,
    )


@pytest.fixture(name="keys", scope="module")
def _keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SiteKey]:
    folder: Path = tmp_path_factory.mktemp("sites")
    return {one: site_key.create(folder / one, one) for one in ("plant7", "plant8")}


def test_what_a_site_signed_is_believed(keys: dict[str, SiteKey]) -> None:
    """The proof holds what it said, under which id, and by whose key."""
    public = {site: key.public for site, key in keys.items()}
    data = receipt.seal(told(), keys["plant7"])
    found = receipt.believe(data, public)
    assert found.receipt == told()
    assert found.id == sha256(record.encode(told()))
    assert found.key == public["plant7"]
    assert receipt.record_of(data) == record.encode(told())


def test_a_key_that_was_not_enrolled_counts_for_nothing(
    keys: dict[str, SiteKey],
) -> None:
    """Anybody can make a key and sign."""
    data = receipt.seal(told(), keys["plant7"])
    with pytest.raises(TrustError) as caught:
        receipt.believe(data, {"plant8": keys["plant8"].public}, name="a.receipt")
    assert caught.value.problem == (
        "a.receipt is signed by no key enrolled here; sites with a key: `plant8`"
    )


def test_a_site_cannot_speak_for_another(keys: dict[str, SiteKey]) -> None:
    """Its key is enrolled, and signs what it likes; the name inside must be its own."""
    line = record.encode(told("plant8"))
    signature = keys["plant7"].sign(Purpose.RECEIPT, line)
    with pytest.raises(TrustError) as caught:
        receipt.believe(
            line + b"\n" + signature.hex().encode() + b"\n",
            {site: key.public for site, key in keys.items()},
        )
    assert caught.value.problem == (
        "receipt is of site `plant8`, signed by the key of `plant7`"
    )
    with pytest.raises(TrustError):
        receipt.seal(told("plant8"), keys["plant7"])


def test_a_signature_for_another_purpose_is_none(keys: dict[str, SiteKey]) -> None:
    """What was signed as a request must not pass as a receipt."""
    line = record.encode(told())
    signature = keys["plant7"].sign(Purpose.REQUEST, line)
    with pytest.raises(TrustError, match="no key enrolled here"):
        receipt.believe(
            line + b"\n" + signature.hex().encode() + b"\n",
            {"plant7": keys["plant7"].public},
        )


@given(at=st.integers(0, 5000), flip=st.integers(1, 255))
def test_no_byte_of_a_receipt_can_be_changed(
    keys: dict[str, SiteKey], at: int, flip: int
) -> None:
    """Record, signature, and the line ends: each byte has one value."""
    data = bytearray(receipt.seal(told(), keys["plant7"]))
    data[at % len(data)] ^= flip
    with pytest.raises((FormatError, TrustError)):
        receipt.believe(bytes(data), {"plant7": keys["plant7"].public})


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data + b"x",
        lambda data: data.upper(),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data[: data.index(b"\n") + 1],
        lambda _: b"",
        lambda data: data * 2,
        lambda data: b"\n" + data,
    ],
)
def test_a_receipt_is_two_lines_and_nothing_else(
    keys: dict[str, SiteKey], damage: Callable[[bytes], bytes]
) -> None:
    """One spelling: what a mail program makes of it is asked for again."""
    data = damage(receipt.seal(told(), keys["plant7"]))
    with pytest.raises((FormatError, TrustError)):
        receipt.believe(data, {"plant7": keys["plant7"].public})
