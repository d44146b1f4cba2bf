"""A delivery holds the attestations that its releases name, and no others."""

from dataclasses import replace
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import TrustError
from airlift.format import release
from airlift.trust import attesting, records
from airlift.trust.repository import Repository, attestation_path
from attestations import listed, model, provenance
from authority import Authority, key, land

ALICE = key("alice")
DATA = provenance(model(), ALICE)
NAME = records.attestation_name(sha256(DATA))
DOCUMENT = release.encode(listed(model(), DATA, by=[attesting.signatory(ALICE.public)]))


@pytest.fixture(name="side")
def _side(tmp_path: Path) -> Authority:
    side = Authority(tmp_path)
    Repository(tmp_path).keep(attestation_path(sha256(DATA)), DATA)
    return side


def test_what_a_release_names_travels_and_is_believed_to_be_it(
    side: Authority,
) -> None:
    """Bytes only: whether it is so is asked later, and refuses nothing."""
    offered = side.deliver(DOCUMENT)
    assert offered[NAME] == DATA
    (found,) = land(offered, side.state()).releases
    assert found.attestations == (DATA,)


def test_one_that_is_missing_is_named(side: Authority) -> None:
    """A courier cannot drop what speaks against a release, or for it."""
    offered = side.deliver(DOCUMENT)
    del offered[NAME]
    with pytest.raises(TrustError) as caught:
        land(offered, side.state())
    assert str(caught.value) == f"the delivery lacks `{NAME}`"


def test_one_that_nothing_names_is_refused(side: Authority) -> None:
    """Nor can they add one: an attestation of theirs would be shown as somebody's."""
    offered = side.deliver(release.encode(model()))
    with pytest.raises(TrustError) as caught:
        land({**offered, NAME: DATA}, side.state())
    assert str(caught.value) == f"the delivery was not meant to bring `{NAME}`"


@pytest.mark.parametrize("data", [DATA + b" ", DATA[:-1], b""])
def test_one_with_other_bytes_is_refused(side: Authority, data: bytes) -> None:
    """Before anything reads it."""
    offered = side.deliver(DOCUMENT)
    with pytest.raises(TrustError) as caught:
        land({**offered, NAME: data}, side.state())
    assert str(caught.value) == f"`{NAME}` is not what the release names"


def test_a_size_that_is_not_its_own_is_refused(side: Authority) -> None:
    """The digest decides, and the size is said by the same people."""
    told = listed(model(), DATA, by=[attesting.signatory(ALICE.public)])
    (one,) = told.attestations
    wrong = replace(told, attestations=(replace(one, size=one.size + 1),))
    with pytest.raises(TrustError, match="is not what the release names"):
        side.deliver(release.encode(wrong))


def test_a_perfect_model_signature_gives_no_authority(side: Authority) -> None:
    """Whoever signs models is no approver: nobody vouches for this release."""
    models = key("models", "ecdsa-sha2-nistp256")
    data = attesting.sign_model(model(), models)
    own = [attesting.signatory(models.public)]
    document = release.encode(listed(model(), data, by=own))
    offered = side.deliver()
    forged = {
        **offered,
        records.release_name(sha256(document)): document,
        records.attestation_name(sha256(data)): data,
    }
    with pytest.raises(TrustError) as caught:
        land(forged, side.state())
    name = records.release_name(sha256(document))
    assert str(caught.value) == f"the delivery was not meant to bring `{name}`"


def test_an_airlift_from_before_refuses_them_by_name() -> None:
    """It must not take a release and pass over what is said of it."""
    with pytest.raises(TrustError) as caught:
        records.limit("records/statements/1.json")
    assert str(caught.value) == (
        "the delivery has `records/statements/1.json`, which nothing calls for"
    )
