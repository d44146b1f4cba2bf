"""The first installation: one root, compared by a person."""

import json
from pathlib import Path

import pytest

from airlift.errors import RequestError, TrustError
from airlift.trust import fingerprint
from airlift.trust.delivery import TrustState
from airlift.trust.plan import RolePlan
from airlift.trust.site import accept_root
from authority import NOW, SITE, Authority, envelope, key, land


def test_a_root_with_the_expected_fingerprint_is_accepted(side: Authority) -> None:
    """In digits and in words, as it came over the telephone."""
    root = side.publisher.root_bytes()
    shown = fingerprint.of_root(root)
    expected = TrustState(site=SITE, anchor=root)
    for text in (shown.groups, shown.words, shown.digest.upper(), None):
        assert accept_root(root, site=SITE, expected_fingerprint=text) == expected


def test_another_root_is_refused_with_both_fingerprints(
    side: Authority, tmp_path: Path
) -> None:
    """A swapped stick is found here or never."""
    root = side.publisher.root_bytes()
    other = Authority(tmp_path / "other", signers=[key("mallory")])
    expected = fingerprint.of_root(other.publisher.root_bytes()).groups
    actual = fingerprint.of_root(root)
    with pytest.raises(TrustError) as caught:
        accept_root(root, site=SITE, expected_fingerprint=expected)
    assert str(caught.value) == (
        f"the root has fingerprint {actual.groups} ({actual.words}), expected {expected}"
    )


def test_a_mistyped_fingerprint_is_a_request_not_an_attack(side: Authority) -> None:
    """The commonest cause is a slip, and the message names the word."""
    root = side.publisher.root_bytes()
    words = fingerprint.of_root(root).words.split()
    words[3] = "xyzzy"
    with pytest.raises(RequestError, match="word 4, `xyzzy`, is not on the word list"):
        accept_root(root, site=SITE, expected_fingerprint=" ".join(words))


@pytest.mark.parametrize("site", ["", "Plant7", "a" * 33, "-a", "a/b", "plant 7"])
def test_a_site_needs_a_name_that_can_be_one(side: Authority, site: str) -> None:
    """The name stands in signed paths."""
    with pytest.raises(RequestError, match="cannot be a site's name"):
        accept_root(side.publisher.root_bytes(), site=site)


def test_a_later_root_can_be_the_anchor(side: Authority) -> None:
    """A site set up years later starts from the newest root, and knows the older."""
    alice, bob = key("alice"), key("bob")
    side.publisher.rotate(RolePlan.single(bob.public), [alice, bob], NOW)
    side.signers = (bob,)
    state = land(side.deliver(), side.state()).state
    assert sorted(name for name in state.metadata if "root" in name) == [
        "1.root.json",
        "2.root.json",
    ]


def test_a_later_root_without_its_own_keys_is_refused(side: Authority) -> None:
    """Old keys alone could name anybody as the new ones."""
    alice, bob = key("alice"), key("bob")
    side.publisher.rotate(RolePlan.single(bob.public), [alice, bob], NOW)
    signed = json.loads(side.publisher.root_bytes())["signed"]
    root = envelope(signed, [alice])
    with pytest.raises(TrustError, match="has 0 of the 1 signatures it needs"):
        accept_root(root, site=SITE)
