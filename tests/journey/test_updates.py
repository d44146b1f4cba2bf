"""From one side to the other, a version after another: only what changed travels."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.artifact import Pinned
from airlift.digest import sha256
from airlift.errors import IncompleteError, RequestError, StoreError
from airlift.format.dispatch import Need
from airlift.format.head import Op
from airlift.outbound.departure import Departure
from crossing import Crossing, noise
from lineage import new_version, old_version

SHARED = {"tokenizer.json": noise(400_000, 3), "config.json": b"{}", "empty": b""}


class Updates(Crossing):
    """A crossing whose model has versions."""

    def pin(self, update: str = "old") -> Pinned:
        """Pin the version after *update*, beside files that stay as they are."""
        return self.connected.folder("acme/m", self.files(update))

    def files(self, update: str = "old") -> Mapping[str, bytes]:
        """Return the files of that version."""
        folder = self.folder / "versions"
        made = old_version(folder) if update == "old" else new_version(update, folder)
        return {**SHARED, **made}

    def send(
        self,
        update: str = "old",
        build_on: str = "none",
        *,
        capacity: int = 64 << 20,
        again: int = 0,
    ) -> Departure:
        """Export a version to a medium of its own."""
        medium = self.folder / f"medium-{len(list(self.folder.glob('medium-*')))}"
        return self.connected.export(
            medium,
            self.pin(update),
            build_on=build_on,
            capacity=capacity,
            again=again,
        )

    def land(self, *departures: Departure) -> None:
        """Import deliveries, in order."""
        for one in departures:
            self.isolated.land(one.volumes[0].path.parent)

    def live(self) -> Mapping[str, bytes]:
        """Return the files of the newest live release, as they lie in the store."""
        registry, store = self.isolated.registry, self.isolated.store
        live = [one for one in registry.releases() if one.state == "live"]
        held = max(live, key=lambda one: one.release.counter)
        return {
            file.path: b"".join(store.read(file.sha256))
            for file in registry.files(held.id)
        }


@pytest.fixture(name="crossing")
def _crossing(tmp_path: Path) -> Updates:
    return Updates(tmp_path)


def pieces(done: Departure) -> list[Op]:
    """Return the kinds of pieces that travel."""
    return [piece.op for one in done.packed.heads if one for piece in one.pieces]


def test_an_update_carries_what_changed_and_gives_the_new_version(
    crossing: Updates,
) -> None:
    """The point of it all: 7 MB change by a thousandth and 1.2 MB travel."""
    first = crossing.send()
    crossing.land(first)
    second = crossing.send("sigma-1e-3", "last")
    model = crossing.files()["model.safetensors"]
    staying = {**SHARED, "model.safetensors": model}
    assert second.record.needs == tuple(
        Need(sha256=one, sequence=1)
        for one in sorted(sha256(data) for data in staying.values())
    )
    (blob,) = second.packed.listing.blobs
    assert blob.size == len(crossing.files("sigma-1e-3")["model.safetensors"])
    assert second.packed.listing.stored_size < 0.175 * len(model)
    assert set(pieces(second)) == {Op.LITERAL, Op.DIFFERENCE}
    crossing.land(second)
    assert crossing.live() == crossing.files("sigma-1e-3")


def test_without_being_told_nothing_is_built_on(crossing: Updates) -> None:
    """A stick that may get lost must not decide what the next one holds."""
    crossing.send()
    second = crossing.send("metadata")
    assert second.record.needs == ()
    assert pieces(second) == []
    assert second.packed.listing.raw_size == sum(
        len(one) for one in crossing.files("metadata").values()
    )
    crossing.land(second)
    assert crossing.live() == crossing.files("metadata")


def test_a_resharded_model_travels_as_references(crossing: Updates) -> None:
    """Three files made of one, each by what it needs of it; cut in volumes anywhere."""
    crossing.land(crossing.send())
    second = crossing.send("reshard", "1")
    assert Op.REFERENCE in pieces(second)
    assert second.packed.listing.stored_size < 4000
    crossing.land(second)
    assert crossing.live() == crossing.files("reshard")


def test_a_chain_of_updates_names_who_brought_each_blob(crossing: Updates) -> None:
    """The tokenizer came with the first delivery and never again."""
    sent = [crossing.send(), crossing.send("sigma-1e-4", "last")]
    sent.append(crossing.send("sigma-1e-3", "last"))
    needs = {one.sha256: one.sequence for one in sent[2].record.needs}
    second = crossing.files("sigma-1e-4")["model.safetensors"]
    assert needs == {
        **{sha256(data): 1 for data in SHARED.values()},
        sha256(second): 2,
    }
    crossing.land(*sent)
    assert crossing.live() == crossing.files("sigma-1e-3")


def test_a_file_like_another_of_its_delivery_travels_once(crossing: Updates) -> None:
    """A copy under another name, and the shards beside the whole: no base is needed."""
    whole, shards = crossing.files(), crossing.files("reshard")
    both = {**whole, "copy.safetensors": whole["model.safetensors"], **shards}
    pinned = crossing.connected.folder("acme/m", both)
    done = crossing.connected.export(crossing.medium, pinned)
    alone = crossing.send().packed.listing.stored_size
    assert done.packed.listing.stored_size < alone + 6000
    assert done.record.needs == ()
    crossing.isolated.land(crossing.medium)
    assert crossing.live() == both


def test_a_delivery_whose_base_is_not_there_changes_nothing(crossing: Updates) -> None:
    """The operator was wrong about the first stick: named, with what to bring."""
    first = crossing.send()
    second = crossing.send("sigma-1e-3", "last")
    before = crossing.isolated.fingerprint()
    with pytest.raises(IncompleteError) as caught:
        crossing.land(second)
    assert "that this site does not hold: " in caught.value.problem
    assert "(brought by delivery 1)" in caught.value.problem
    assert caught.value.hint.startswith("import delivery 1 (again) before this one")
    assert crossing.isolated.fingerprint() == before
    crossing.land(first, second)
    assert crossing.live() == crossing.files("sigma-1e-3")


def test_a_base_that_was_collected_is_missed_by_name(crossing: Updates) -> None:
    """What `gc` deleted cannot be built on, and an old delivery does not bring it back."""
    first = crossing.send()
    crossing.land(first)
    model = sha256(crossing.files()["model.safetensors"])
    second = crossing.send("sigma-1e-3", "last")
    crossing.isolated.store.remove([model])
    with pytest.raises(IncompleteError) as caught:
        crossing.land(second)
    assert "model.safetensors of acme/m (brought by delivery 1)" in caught.value.problem
    crossing.land(first)  # a repeat: it changes no record and brings the blob back
    crossing.land(second)
    assert crossing.live() == crossing.files("sigma-1e-3")


def test_volumes_of_an_update_come_in_any_order(crossing: Updates) -> None:
    """Pieces wait for their slabs, slabs for their bases."""
    crossing.land(crossing.send())
    second = crossing.send("sigma-1e-2", "last", capacity=1_600_000)
    assert len(second.volumes) == 2
    for one in reversed(second.volumes[1:]):
        with pytest.raises(IncompleteError):
            crossing.isolated.land(one.path)
    crossing.isolated.land(second.volumes[0].path)
    assert crossing.live() == crossing.files("sigma-1e-2")


def test_an_update_made_again_is_the_same_bytes(crossing: Updates) -> None:
    """For lost media; its recipe was kept, so newer deliveries do not change it."""
    crossing.send()
    second = crossing.send("sigma-1e-3", "last")
    crossing.send("sigma-1e-2", "all")
    shutil.rmtree(crossing.connected.home / "pieces")
    again = crossing.send(again=2)
    assert [one.sha256 for one in again.volumes] == [
        one.sha256 for one in second.volumes
    ]
    other = crossing.send(again=2, capacity=2_000_000)
    assert other.packed == second.packed


def test_an_interrupted_update_goes_on_as_the_same_delivery(crossing: Updates) -> None:
    """It is planned again alike, so that what was signed can be finished."""
    crossing.send()
    second = crossing.send("sigma-1e-3", "last")
    ledger = crossing.connected.dock.ledger
    entry = ledger.read("plant7", 2)
    assert entry is not None
    ledger.write(replace(entry, written="", volumes=()))
    resumed = crossing.send("sigma-1e-3", "last")
    assert (resumed.resumed, resumed.id) == (True, second.id)


def test_an_update_on_several_deliveries(crossing: Updates) -> None:
    """Numbers name which; what is in none of them travels."""
    crossing.send()
    crossing.connected.export(
        crossing.folder / "other", crossing.connected.folder("x/y", {"a": noise(9000)})
    )
    by_last = crossing.send("metadata", "last")
    assert by_last.record.needs == ()
    by_number = crossing.send("metadata", "1,2")
    assert {one.sequence for one in by_number.record.needs} == {1}
    assert by_number.packed.listing.stored_size < 2000


def test_a_rotten_base_is_found_before_it_spoils_an_update(crossing: Updates) -> None:
    """Its change would give wrong bytes, found only at the end of the trip."""
    crossing.send()
    path = crossing.connected.home / "store/blobs/sha256"
    model = sha256(crossing.files()["model.safetensors"])
    blob = path / model[:2] / model
    blob.chmod(0o600)
    data = bytearray(blob.read_bytes())
    data[-1000] ^= 1
    blob.write_bytes(data)
    with pytest.raises(StoreError, match=model):
        crossing.send("sigma-1e-3", "last")
    assert crossing.connected.publisher.deliveries("plant7")[0].sequence == 1


@pytest.mark.parametrize(
    ("build_on", "problem", "hint"),
    [
        (
            "last",
            "there is no delivery to plant7 to build on yet",
            "leave --build-on out",
        ),
        ("3", "delivery 3 to plant7 was never written", "written for it: none"),
        (
            "soon",
            "`soon` does not say what to build on",
            "give confirmed, anchor, last, all, none, or numbers of deliveries such as 3,7",
        ),
    ],
)
def test_what_was_never_sent_cannot_be_built_on(
    crossing: Updates, build_on: str, problem: str, hint: str
) -> None:
    """Refused before anything is fetched."""
    with pytest.raises(RequestError) as caught:
        crossing.send(build_on=build_on)
    assert (caught.value.problem, caught.value.hint) == (problem, hint)
