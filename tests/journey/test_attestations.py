"""Attestations from one side to the other: carried, judged, shown, never obeyed."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.artifact import Kind, Release
from airlift.digest import sha256
from airlift.errors import RequestError, StoreError
from airlift.format import oms, release
from airlift.format.predicates import Making
from airlift.outbound.attesting import Attester
from airlift.registry import rebuild
from airlift.registry.held import Held
from airlift.registry.registry import Registry
from airlift.trust import attesting
from airlift.trust.repository import Repository, attestation_path
from airlift.trust.verifier import verify
from attestations import keyed
from authority import key
from crossing import NOW, Connected, Crossing

FILES: Mapping[str, bytes] = {"config.json": b"{}", "LICENSE": b"take it"}
MODELS = key("models", "ecdsa-sha2-nistp256")


@pytest.fixture(name="crossing")
def _crossing(tmp_path: Path) -> Crossing:
    return Crossing(tmp_path)


def attester(side: Connected, now: str = NOW) -> Attester:
    """Return one that states everything and signs models."""
    return Attester(
        repository=Repository(side.home / "trust"),
        folder=side.home / "attested",
        making=Making(operator="alice", at=now, versions={"airlift": "1"}),
        read=lambda blob: b"".join(side.dock.store.read(blob)),
        tell=lambda _: None,
        signers=(side.key,),
        model_key=MODELS,
    )


def only(crossing: Crossing) -> Held:
    """Return the one release of the isolated side."""
    (held,) = crossing.isolated.registry.releases()
    return held


def titles(crossing: Crossing) -> dict[str, str]:
    """Return what was attested of the one release, and what is wrong with it."""
    custody = crossing.isolated.registry.custody()
    judged = custody.attestations(only(crossing).id)
    return {one.title: one.problem for one in judged}


GOOD = {"provenance": "", "licences": "", "model signature": ""}


def test_what_is_attested_there_is_shown_here(crossing: Crossing) -> None:
    """With who said it, from the registry alone."""
    side = crossing.connected
    side.export(crossing.medium, side.folder("acme/m", FILES), attester=attester(side))
    landed = crossing.isolated.land(crossing.medium)
    assert (landed.held, only(crossing).state) == ({}, "live")
    assert titles(crossing) == GOOD
    custody = crossing.isolated.registry.custody()
    who = {one.title: one.by for one in custody.attestations(only(crossing).id)}
    assert who["provenance"] == (f"alice (ed25519 {side.key.public.key_id[:16]})",)
    assert list((side.home / "attested").iterdir()) == []


class _ForgedModel(Attester):
    """An attester whose model signatures are of other bytes."""

    def attest(self, one: Release) -> Release:
        other = replace(
            one, files=tuple(replace(f, sha256=sha256(b"?")) for f in one.files)
        )
        data = keyed(oms.statement(other), MODELS)
        self.repository.keep(attestation_path(sha256(data)), data)
        own = attesting.signatory(MODELS.public)
        return replace(
            one, attestations=(attesting.listed(data, [own], at=self.making.at),)
        )


def test_an_invalid_model_signature_keeps_a_release_waiting(
    crossing: Crossing,
) -> None:
    """Signed by the approvers all the same, so it is held, named, and not served."""
    side = crossing.connected
    forged = _ForgedModel(
        **{name: getattr(attester(side), name) for name in Attester.__slots__}
    )
    side.export(crossing.medium, side.folder("acme/m", FILES), attester=forged)
    landed = crossing.isolated.land(crossing.medium)
    held = only(crossing)
    (digest,) = (one.sha256 for one in _document(crossing, held).attestations)
    why = (
        f"model signature {digest[:12]} is not valid: it is of other bytes of LICENSE,"
        " config.json"
    )
    assert (held.state, landed.held) == ("quarantine", {held.id: why})
    waiting = crossing.isolated.registry.custody().waiting([held])
    assert waiting == {held.id: why}
    live = crossing.isolated.registry.shelf(crossing.isolated.store)
    assert live.releases(frozenset(Kind)) == ()


def _document(crossing: Crossing, held: Held) -> Release:
    return release.decode(crossing.isolated.registry.document(held.id))


def test_the_same_content_again_is_the_same_release(crossing: Crossing) -> None:
    """Also to another day's export, with attestations and without."""
    side = crossing.connected
    pinned = side.folder("acme/m", FILES)
    first = side.export(crossing.medium, pinned, attester=attester(side))
    later = attester(side, "2026-11-24T12:00:00Z")
    again = side.export(crossing.folder / "m2", pinned, attester=later)
    plain = side.export(crossing.folder / "m3", pinned)
    assert first.record.releases == again.record.releases == plain.record.releases
    for medium in (crossing.medium, crossing.folder / "m2", crossing.folder / "m3"):
        crossing.isolated.land(medium)
    assert titles(crossing) == GOOD


def test_a_killed_export_goes_on_with_the_same_delivery(crossing: Crossing) -> None:
    """Statements have a time and a signature; the delivery is the one begun."""
    side, pinned = crossing.connected, crossing.connected.folder("acme/m", FILES)
    crossing.medium.write_bytes(b"in the way")
    with pytest.raises(RequestError, match="is not a folder"):
        side.export(crossing.medium, pinned, attester=attester(side))
    crossing.medium.unlink()
    later = attester(side, "2026-11-24T12:00:00Z")
    done = side.export(crossing.medium, pinned, attester=later)
    assert (done.resumed, done.record.sequence) == (True, 1)
    crossing.isolated.land(crossing.medium)
    assert titles(crossing) == GOOD


def test_a_registry_made_again_has_its_attestations(crossing: Crossing) -> None:
    """They are signed records like all else, kept beside the database."""
    side, isolated = crossing.connected, crossing.isolated
    side.export(crossing.medium, side.folder("acme/m", FILES), attester=attester(side))
    isolated.land(crossing.medium)
    isolated.registry.close()
    rebuild.rebuild(
        isolated.home, isolated.store, verify=verify, now=NOW, actor="tester"
    )
    isolated.registry = Registry.open(isolated.home)
    assert titles(crossing) == GOOD


def test_a_collected_release_leaves_no_attestation(crossing: Crossing) -> None:
    """Nothing of a release outlives it in the database."""
    side, isolated = crossing.connected, crossing.isolated
    for number in (1, 2, 3):
        files = {**FILES, "config.json": b"%d" % number}
        pinned = side.folder("acme/m", files)
        medium = crossing.folder / str(number)
        side.export(medium, pinned, attester=attester(side))
        isolated.land(medium)
    registry = isolated.registry
    newest, middle, oldest = registry.releases()
    for _ in range(2):
        registry.deactivate([middle.id, oldest.id], now=NOW, actor="t")
        registry.activate([newest.id], now=NOW, actor="t")
    registry.deactivate([newest.id], now=NOW, actor="t")
    registry.activate([newest.id], now=NOW, actor="t")
    gone = registry.doomed(isolated.store)
    assert oldest.id in {one.id for one in gone.releases}
    registry.collect(gone, isolated.store, now=NOW, actor="t")
    assert registry.custody().evidence(oldest.id) == {}
    assert len(registry.custody().attestations(newest.id)) == len(GOOD)


def test_a_signing_side_keeps_what_travels_beside_its_releases(
    crossing: Crossing,
) -> None:
    """An earlier delivery written again has the same records, to the byte."""
    side = crossing.connected
    side.export(crossing.medium, side.folder("acme/m", FILES), attester=attester(side))
    again = crossing.folder / "again"
    side.export(again, again=1)
    (one,), (two,) = (sorted(at.glob("*.tar")) for at in (crossing.medium, again))
    assert one.read_bytes() == two.read_bytes()
    shutil.rmtree(side.home / "trust" / "attestations")
    with pytest.raises(StoreError, match="lacks `attestations/"):
        side.export(crossing.folder / "more", again=1)


def test_statements_are_such_as_others_read(crossing: Crossing) -> None:
    """in-toto in DSSE, to the letter; nothing of airlift's is needed to read them."""
    side = crossing.connected
    side.export(crossing.medium, side.folder("acme/m", FILES), attester=attester(side))
    crossing.isolated.land(crossing.medium)
    custody = crossing.isolated.registry.custody()
    for data in custody.evidence(only(crossing).id).values():
        told = json.loads(data)
        envelope = told.get("dsseEnvelope", told)
        assert envelope["payloadType"] == "application/vnd.in-toto+json"
        assert set(envelope) == {"payload", "payloadType", "signatures"}
