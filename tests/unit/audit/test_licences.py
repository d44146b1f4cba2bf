"""Licences, lineage, and what changed of them (Q7)."""

from pathlib import Path

import pytest

import catalogues
import policies
from airlift.audit.finding import Verdict
from airlift.digest import sha256
from audited import NOW, World, model, rows, told, wheel_set
from wheelhouse import wheel


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


CARD = b"""---
license: other
license_name: llama3.1
license_link: 'https://hub.example/LICENSE'
---
# A model
license_name: not this
"""


def test_a_licence_is_told_as_stated_and_as_spdx(world: World) -> None:
    """With its texts by digest, and what the card says of it."""
    files = {"LICENSE": b"terms", "README.md": CARD, "config.json": b"{}"}
    world.bring(model(files=files, licence="other"))
    found = world.ask("licences")
    assert found.verdict is Verdict.PASS
    columns = ("licence", "spdx", "name_of_licence", "link", "texts", "policy")
    assert rows(found, *columns) == [
        (
            *("other", "LicenseRef-hf-other", "llama3.1"),
            "https://hub.example/LICENSE",
            (f"LICENSE={sha256(b'terms')}",),
            "-",
        )
    ]


def test_wheels_are_listed_by_their_metadata(world: World) -> None:
    """An index says nothing that a wheel does not say itself."""
    name, data, _ = wheel("demo", "1.0", licence="MIT OR Apache-2.0")
    world.bring(wheel_set({name: data}))
    found = world.ask("licences", "demo")
    assert rows(found, "name", "version", "spdx") == [
        ("demo", "1.0", "MIT OR Apache-2.0")
    ]
    assert found.verdict is Verdict.PASS


def test_a_wheel_that_cannot_be_read_is_unknown_by_name(world: World) -> None:
    """Its licence is somewhere in bytes that make no sense."""
    world.bring(wheel_set({"demo-1.0-py3-none-any.whl": b"no wheel"}))
    found = world.ask("licences")
    assert found.verdict is Verdict.UNKNOWN
    (line,) = found.unknown
    assert line.startswith("demo 1.0: ")


def test_a_source_archive_is_unknown_by_name(world: World) -> None:
    """What is not read is not passed over."""
    world.bring(wheel_set({"demo-1.0.tar.gz": b"archive"}))
    assert world.ask("licences").unknown == (
        "demo 1.0: demo-1.0.tar.gz is not named as a wheel",
    )


def test_no_licence_is_a_finding(world: World) -> None:
    """Without one, nothing is allowed."""
    world.bring(model(licence=""))
    assert told(world.ask("licences")) == [
        ("none-stated", "medium", f"org/model@{'a' * 12} states no licence")
    ]


def test_the_strictest_ancestor_is_found_through_what_is_held_and_watched(
    world: World,
) -> None:
    """Terms get lost on the way down, and they bind all the same."""
    world.bring(
        model("org/chat", licence="apache-2.0", base_models=("org/base",)),
        model("org/base", licence="mit", base_models=("meta/llama",)),
    )
    world.hear(
        catalogues.of(
            catalogues.item("meta/llama", licence="llama3.1"),
        )
    )
    found = world.ask("licences", "org/chat")
    assert rows(found, "ancestors", "strictest") == [
        (
            ["org/base (mit)", "meta/llama (llama3.1)"],
            "meta/llama (llama3.1): restricted",
        )
    ]
    title = (
        f"org/chat@{'a' * 12} (apache-2.0) was made from meta/llama (llama3.1),"
        " which asks for more"
    )
    assert told(found) == [("ancestor-stricter/meta/llama", "medium", title)]


def test_an_ancestor_that_nobody_knows_is_a_finding(world: World) -> None:
    """Its terms may forbid everything."""
    world.bring(model(base_models=("who/knows",)))
    found = world.ask("licences")
    assert rows(found, "strictest") == [("who/knows (not known here): unknown",)]
    assert [rule for rule, _, _ in told(found)] == ["ancestor-unknown/who/knows"]


def test_a_circle_of_ancestors_ends(world: World) -> None:
    """Upstream may state anything."""
    world.bring(
        model("org/a", base_models=("org/b",)), model("org/b", base_models=("org/a",))
    )
    assert rows(world.ask("licences"), "ancestors") == [
        (["org/b (mit)"],),
        (["org/a (mit)"],),
    ]


def test_terms_that_changed_between_two_releases_are_findings(world: World) -> None:
    """The tag, a text under the same tag, gating, base models: each in words."""
    world.bring(model(files={"LICENSE": b"one"}))
    world.bring(
        model(
            files={"LICENSE": b"two"},
            revision="b" * 40,
            counter=2,
            licence="gpl-3.0",
            upstream={"gated": "manual"},
        )
    )
    found = world.ask("licences")
    assert rows(found, "version", "changed_in") == [("b" * 40, "3"), ("a" * 40, "")]
    label = f"org/model@{'b' * 12}"
    one, two = sha256(b"one")[:12], sha256(b"two")[:12]
    assert told(found) == [
        ("changed/licence", "medium", f"{label}: licence changed from mit to gpl-3.0"),
        (
            *("changed/texts", "medium"),
            f"{label}: texts changed from LICENSE {one} to LICENSE {two}",
        ),
        ("changed/gated", "low", f"{label}: gated changed from none to manual"),
    ]


def test_what_the_policy_does_not_allow_and_is_live_is_a_finding(world: World) -> None:
    """The policy may be younger than what it judges."""
    world.bring(model(), model("org/free", licence="apache-2.0"))
    told_policy = policies.made(licences=("Apache-2.0",))
    world.side.publisher.set_policy(
        policies.document(told_policy), world.side.signers, NOW
    )
    world.bring()
    found = world.ask("licences")
    assert rows(found, "name", "policy") == [
        ("org/free", "allow"),
        ("org/model", "review"),
    ]
    assert told(found) == [
        (
            *("not-allowed", "high"),
            f"org/model@{'a' * 12} is live, and the policy does not allow its licence",
        )
    ]
