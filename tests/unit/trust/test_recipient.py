"""Encryption keys of sites: what is sealed to one is opened by it, and by nothing else."""

import json
from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, RequestError
from airlift.format import canonical
from airlift.format.cover import Cover
from airlift.trust import encryption_key, recipient, suites
from airlift.trust.encryption_key import NO_KEYS
from airlift.trust.recipient import Recipient
from airlift.trust.recipients import Recipients
from airlift.trust.suites import SUITES
from authority import NOW, SITE

SECRET = bytes(range(32))
BY = (NOW, "root@here")


def covered(key: Recipient, sealed: bytes, **changes: object) -> Cover:
    """Return the cover of a volume whose secret was *sealed* to *key*."""
    fields: dict[str, object] = {
        "site": key.site,
        "sequence": 7,
        "delivery": Sha256("0" * 64),
        "cutting": "0" * 16,
        "ordinal": 1,
        "count": 1,
        "size": 1,
        "suite": key.suite,
        "key_id": key.key_id,
        "encapsulated": sealed,
        "salt": Sha256("0" * 64),
    }
    return Cover(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("suite", list(SUITES))
def test_what_is_sealed_to_a_key_only_that_key_opens(
    tmp_path: Path, suite: str
) -> None:
    """Bound to its site and delivery: a sealed secret is of no use elsewhere."""
    made = encryption_key.create(tmp_path, SITE, suite=suite)
    sealed = made.public.seal(SECRET, 7)
    assert made.public.seal(SECRET, 7) != sealed
    opener = encryption_key.opener(tmp_path)
    assert opener.secret(covered(made.public, sealed)) == SECRET
    other = bytes([sealed[0] ^ 1]) + sealed[1:]
    for wrong in (
        covered(made.public, sealed, sequence=8),
        covered(made.public, sealed, site="plant8"),
        covered(made.public, sealed, key_id=sha256(b"another")),
        covered(made.public, sealed, suite="none"),
        covered(made.public, other),
        covered(made.public, sealed[:-1]),
        covered(made.public, b""),
    ):
        assert encryption_key.opener(tmp_path).secret(wrong) is None
    assert NO_KEYS.secret(covered(made.public, sealed)) is None
    theirs = encryption_key.create(tmp_path / "theirs", SITE, suite=suite)
    assert theirs.public.key_id != made.public.key_id
    assert encryption_key.Opener((theirs,)).secret(covered(made.public, sealed)) is None


def test_a_secret_of_another_length_is_none(tmp_path: Path) -> None:
    """Anybody can seal anything to the key; what is no secret is not used as one."""
    made = encryption_key.create(tmp_path, SITE)
    sealed = made.public.seal(SECRET[1:], 7)
    assert encryption_key.opener(tmp_path).secret(covered(made.public, sealed)) is None


def test_the_keys_of_a_site_are_its_owners_alone_and_are_kept(tmp_path: Path) -> None:
    """Media that are under way were encrypted to the one before."""
    first = encryption_key.create(tmp_path, SITE)
    second = encryption_key.create(tmp_path, SITE, suite="x25519")
    assert (tmp_path / encryption_key.FILE).stat().st_mode & 0o777 == 0o600
    assert encryption_key.read(tmp_path) == (first, second)
    assert encryption_key.forget(tmp_path) == 1
    assert encryption_key.read(tmp_path) == (second,)
    assert encryption_key.forget(tmp_path) == 0
    assert "secret=" not in repr(first)


def test_a_private_half_of_another_key_is_refused(tmp_path: Path) -> None:
    """A file that was put together wrong would open nothing, and say so too late."""
    first = encryption_key.create(tmp_path, SITE, suite="x25519")
    second = encryption_key.create(tmp_path, SITE, suite="x25519")
    path = tmp_path / encryption_key.FILE
    path.write_bytes(
        path.read_bytes().replace(
            first.secret.hex().encode(), second.secret.hex().encode()
        )
    )
    with pytest.raises(FormatError) as caught:
        encryption_key.read(tmp_path)
    assert caught.value.problem == (
        "encryption-keys: `keys[0].secret` is not the private half of the key"
    )


@pytest.mark.parametrize("suite", list(SUITES))
def test_a_public_half_has_one_spelling(tmp_path: Path, suite: str) -> None:
    """Two spellings would be two fingerprints of one key."""
    made = encryption_key.create(tmp_path, SITE, suite=suite).public
    data = recipient.encode(made)
    assert recipient.decode(data) == made
    stated = json.loads(data)
    key = stated["public"]
    for wrong in (
        {"public": key.upper()},
        {"public": key[:-2]},
        {"public": key + "00"},
    ):
        if wrong["public"] != key:
            with pytest.raises(FormatError):
                recipient.decode(canonical.encode(stated | wrong))
    for wrong in ({"suite": "rot13"}, {"key_id": "0" * 64}, {"site": "No Site"}):
        with pytest.raises(FormatError):
            recipient.decode(canonical.encode(stated | wrong))


def test_a_compressed_point_is_another_spelling_and_refused(tmp_path: Path) -> None:
    """P-384 has two ways to write a point down."""
    made = encryption_key.create(tmp_path, SITE, suite="mlkem1024-p384").public
    point = made.public[1568:]
    short = made.public[:1568] + bytes([2 + point[-1] % 2]) + point[1:49]
    stated = json.loads(recipient.encode(made)) | {"public": short.hex()}
    with pytest.raises(FormatError, match="is not a key of mlkem1024-p384"):
        recipient.decode(canonical.encode(stated))


def test_an_unknown_suite_is_named_with_those_there_are(tmp_path: Path) -> None:
    """A person who typed it sees what to type."""
    with pytest.raises(RequestError) as caught:
        encryption_key.create(tmp_path, SITE, suite="rot13")
    assert caught.value.problem == (
        "unknown suite `rot13`; known are `mlkem768-x25519`, `mlkem1024-p384`, `x25519`"
    )
    assert suites.DEFAULT == "mlkem768-x25519"


def test_an_enrolled_key_is_replaced_only_where_that_is_asked_for(
    tmp_path: Path,
) -> None:
    """Who could slip in a key of their own would read everything that is sent."""
    known = Recipients(tmp_path / "ledger")
    first = encryption_key.create(tmp_path / "a", SITE).public
    second = encryption_key.create(tmp_path / "b", SITE).public
    with pytest.raises(RequestError, match="no encryption key of site `plant7`"):
        known.must(SITE)
    assert known.enrol(first, by=BY)
    assert not known.enrol(first, by=BY)
    with pytest.raises(RequestError) as caught:
        known.enrol(second, by=BY)
    assert caught.value.problem == (
        f"site `plant7` has another encryption key, enrolled {NOW} by root@here"
    )
    assert known.must(SITE) == first
    assert known.enrol(second, by=BY, replace=True)
    assert known.current(SITE) == second
    with pytest.raises(RequestError, match="had this encryption key before"):
        known.enrol(first, by=BY, replace=True)
    assert [one.key for one in known.history(SITE)] == [first, second]
    mode = (tmp_path / "ledger" / SITE / "enrolled-encryption-keys").stat().st_mode
    assert mode & 0o777 == 0o600
