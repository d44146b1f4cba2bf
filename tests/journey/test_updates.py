"""From one side to the other, a version after another: only what changed travels."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.artifact import Pinned
from airlift.digest import sha256
from airlift.errors import RequestError, StoreError
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
        """Return the files of the live release, as they lie in the store."""
        catalog, store = self.isolated.catalog, self.isolated.store
        (held,) = (one for one in catalog.releases() if one.state == "live")
        return {
            file.path: b"".join(store.read(file.sha256))
            for file in catalog.files(held.id)
        }


@pytest.fixture(name="crossing")
def _crossing(tmp_path: Path) -> Updates:
    return Updates(tmp_path)


def pieces(done: Departure) -> list[Op]:
    """Return the kinds of pieces that travel."""
    return [piece.op for one in done.packed.heads if one for piece in one.pieces]


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
            "give last, all, none, or numbers of deliveries such as 3,7",
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
