"""What any release wrote, this one reads."""

import shutil
from pathlib import Path

from vectors.running import FOLDER, Vector, airlift_takes, second_takes, vectors

RELEASES = Path(__file__).parent


def refusals(root: Path, scratch: Path) -> list[str]:
    """Return every delivery below *root* that is not read as it was meant."""
    found = []
    for release in sorted(root.glob("v*")):
        for vector in vectors("deliveries", root=release):
            home = scratch / release.name / vector.name
            found += [
                f"{release.name}/{vector.name}: {why}" for why in _said(vector, home)
            ]
    return found


def _said(vector: Vector, home: Path) -> list[str]:
    outcomes = [airlift_takes(vector, home), second_takes(vector)]
    expected = ("ok", vector.expected.files)
    return [one.reason for one in outcomes if (one.word, one.files) != expected]


def test_deliveries_of_every_release_are_read(tmp_path: Path) -> None:
    """A site that was updated must still take what lies in its drawer."""
    assert refusals(RELEASES, tmp_path) == []


def test_a_delivery_that_is_refused_is_named(tmp_path: Path) -> None:
    """Before the first release the folder is empty, and the walk must work all the same."""
    for name in ("first", "slab-flipped"):
        kept = tmp_path / "releases" / "v0.0.0" / "deliveries" / name
        shutil.copytree(FOLDER / "deliveries" / name, kept)
    found = refusals(tmp_path / "releases", tmp_path / "sites")
    assert [one.partition(":")[0] for one in found] == ["v0.0.0/slab-flipped"] * 2
