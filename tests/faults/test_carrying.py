"""What happens to media on the way: each the right message, and nothing lost."""

import os
import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from airlift.errors import AirliftError, FormatError, IncompleteError, TrustError
from airlift.inbound import landing, media
from airlift.progress import Silent
from airlift.repair import repairing
from crossing import NOW, Desk, Isolated
from faults.way import FILES, Way

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module", name="way")
def _way(tmp_path_factory: pytest.TempPathFactory) -> Way:
    return Way(tmp_path_factory.mktemp("way"))


@pytest.fixture(name="stick")
def _stick(way: Way, tmp_path: Path) -> Path:
    """A copy of the first delivery that may be spoilt."""
    return Path(shutil.copytree(way.first, tmp_path / "stick"))


@pytest.fixture(name="isolated")
def _isolated(way: Way, tmp_path: Path) -> Isolated:
    """A fresh isolated side."""
    return Isolated(tmp_path / "isolated", way.connected.publisher.root_bytes())


def assert_whole(isolated: Isolated, files: Mapping[str, bytes] = FILES) -> None:
    """Check that the newest that is live is *files*, byte for byte."""
    live = [one for one in isolated.registry.releases() if one.state == "live"]
    held = max(live, key=lambda one: one.sequence)
    assert {
        file.path: b"".join(isolated.store.read(file.sha256))
        for file in isolated.registry.files(held.id)
    } == files


def refused(
    error: type[AirliftError], act: Callable[[], object], isolated: Isolated
) -> AirliftError:
    """Return the *error* of *act*, which must have changed nothing that counts."""
    before = isolated.fingerprint()
    with pytest.raises(error) as caught:
        act()
    assert isolated.fingerprint() == before
    return caught.value


def spoil(path: Path, at: int) -> None:
    """Change a byte of *path*."""
    with path.open("r+b") as stream:
        stream.seek(at)
        (old,) = stream.read(1)
        stream.seek(at)
        stream.write(bytes([old ^ 1]))


# --- volumes ---------------------------------------------------------------------


@pytest.mark.parametrize("at", [700, 3000, 20_000], ids=["label", "root", "record"])
def test_a_volume_whose_front_is_damaged_is_refused_and_another_speaks(
    way: Way, stick: Path, isolated: Isolated, at: int
) -> None:
    """Row 3: the signed files are in every volume; one good copy of them is enough."""
    bad = way.volumes(stick)[0]
    spoil(bad, at)
    error = refused(FormatError, lambda: isolated.land(stick), isolated)
    assert error.problem.startswith(f"{bad}: byte ")
    assert error.hint == f"what verified is kept; bring good copies of: {bad.name}"
    shutil.copy(way.first / bad.name, bad)
    isolated.land(stick)
    assert_whole(isolated)


def test_an_empty_volume_is_an_interrupted_copy(
    way: Way, stick: Path, isolated: Isolated
) -> None:
    """Rows 6 and 35: a scanner that empties what it dislikes leaves the same."""
    empty = way.volumes(stick)[1]
    empty.write_bytes(b"")
    error = refused(FormatError, lambda: isolated.land(stick), isolated)
    told = f"{empty}: byte 0: is empty: copying it was interrupted"
    assert (error.problem, error.hint) == (
        told,
        f"what verified is kept; bring good copies of: {empty.name}",
    )


def test_a_deleted_volume_is_a_missing_one(
    way: Way, stick: Path, isolated: Isolated
) -> None:
    """Row 35: the list of sums beside it still names it; no import goes by that."""
    gone = way.volumes(stick)[1]
    gone.unlink()
    assert gone.name in next(stick.glob("*.SHA256SUMS")).read_text()
    error = refused(IncompleteError, lambda: isolated.land(stick), isolated)
    assert error.problem == f"1 blob(s) have not come yet; needed: {gone.name}"


def test_volumes_with_each_others_names_are_known_by_content(
    way: Way, stick: Path, isolated: Isolated
) -> None:
    """Row 11: nothing is believed because of a name."""
    one, two, three = way.volumes(stick)
    one.rename(stick / "x")
    two.rename(one)
    (stick / "x").rename(two)
    three.rename(stick / "Airlift (1).TAR")
    landed = isolated.land(stick)
    assert landed.arrival.duplicates == []
    assert_whole(isolated)


def test_volumes_of_two_cuttings_make_one_delivery(
    way: Way, tmp_path: Path, isolated: Isolated
) -> None:
    """Row 13: slabs count, wherever they were cut; each cutting is counted by itself."""
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    wide = way.volumes(way.wide)
    assert len(wide) == 2
    narrow = {
        name: path
        for path in way.volumes(way.first)
        for name, data in FILES.items()
        if data in path.read_bytes()
    }
    (last,) = [name for name in FILES if FILES[name] in wide[1].read_bytes()]
    one, two = sorted(FILES.keys() - {last})
    shutil.copy(wide[1], mixed / "of another")
    shutil.copy(narrow[one], mixed)
    error = refused(IncompleteError, lambda: isolated.land(mixed), isolated)
    assert error.problem.startswith("1 blob(s) have not come yet; needed: ")
    shutil.copy(narrow[two], mixed)
    isolated.land(mixed)
    assert_whole(isolated)


def test_what_is_no_file_is_left_alone(
    way: Way, stick: Path, isolated: Isolated
) -> None:
    """Row 18: nothing that is named like a volume is opened for its name."""
    place = "AIRLIFT-plant7-000009.000{}-of-0009.tar"
    os.mkfifo(stick / place.format(1))
    (stick / place.format(2)).symlink_to(way.volumes(stick)[0])
    (stick / place.format(3)).mkdir()
    here = Path.cwd()
    os.chdir(stick)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place.format(4))
    os.chdir(here)
    kinds = [1, 2, 4]
    if os.geteuid() == 0:
        os.mknod(stick / place.format(5), 0o600 | 0o060000, os.makedev(7, 200))
        kinds.append(5)
    found = media.find([stick])
    assert sorted(found.strays) == [
        f"{stick / place.format(kind)} (not a regular file)" for kind in kinds
    ]
    assert found.faults == []
    isolated.land(stick)
    assert_whole(isolated)


def test_what_a_kiosk_changes_does_not_matter(
    way: Way, stick: Path, isolated: Isolated
) -> None:
    """Row 34: its manifest beside the volumes, times, modes, attributes."""
    (stick / "manifest.json").write_text('{"scanned": true}')
    for path in way.volumes(stick):
        path.chmod(0o444)
        os.utime(path, (0, 0))
        try:
            os.setxattr(path, "user.scanned", b"yes")
        except OSError:
            pass  # not on this file system
    isolated.land(stick)
    assert_whole(isolated)


@pytest.mark.parametrize("how", ["lost", "windows", "rubbish"])
def test_the_files_beside_the_volumes_are_not_needed(
    stick: Path, isolated: Isolated, how: str
) -> None:
    """Rows 53 and 54: lost, with other line ends after an e-mail, or overwritten."""
    beside = [path for path in stick.iterdir() if path.suffix != ".tar"]
    assert len(beside) >= 3
    for path in beside:
        if how == "lost":
            path.unlink()
        elif how == "windows":
            text = path.read_bytes().replace(b"\n", b"\r\n")
            path.write_bytes(b"\xef\xbb\xbf" + text)
        else:
            path.write_bytes(b"\0" * 100)
    isolated.land(stick)
    assert_whole(isolated)


def test_what_an_earlier_copy_left_does_no_harm(
    way: Way, stick: Path, isolated: Isolated
) -> None:
    """Row 37: half a volume under a name of its own, older than the whole one."""
    for path in way.volumes(stick)[:2]:
        half = path.read_bytes()[: path.stat().st_size // 2]
        path.with_name(path.name + ".part").write_bytes(half)
        path.with_name("." + path.name + ".tmp").write_bytes(half)
    isolated.land(stick)
    assert_whole(isolated)


def test_a_spare_of_another_cutting_rebuilds_nothing(
    way: Way, stick: Path, tmp_path: Path
) -> None:
    """Row 43: it is of the same delivery, and of other volumes."""
    way.volumes(stick)[1].unlink()
    (spare,) = way.wide.glob("*.spare")
    shutil.copy(spare, stick)
    (mended,) = repairing.repair([stick], tmp_path / "out", Silent())
    assert not mended.done
    assert not list((tmp_path / "out").glob("*.tar"))
    assert {one.name for one in mended.outcomes} == {
        path.name for path in way.volumes(way.wide)
    }


# --- deliveries ------------------------------------------------------------------


def test_a_delivery_to_another_site_names_both(way: Way, isolated: Isolated) -> None:
    """The courier took the wrong stick, and neither site is the worse for it."""
    error = refused(TrustError, lambda: isolated.land(way.elsewhere), isolated)
    (volume,) = way.volumes(way.elsewhere)
    assert error.problem == (
        f"{volume}: this delivery is for site `plant8`, this host is site `plant7`"
    )


def test_an_older_delivery_is_named_with_the_newer(
    way: Way, isolated: Isolated, tmp_path: Path
) -> None:
    """Row 15: yesterday's stick, found in a drawer; importing again changes nothing."""
    isolated.land(way.first)
    isolated.land(way.second)
    assert isolated.land(way.first).repeat
    late = Isolated(tmp_path / "late", way.connected.publisher.root_bytes())
    way_of_third = tmp_path / "third"
    way.connected.export(way_of_third, way.pin({"f": b"6"}))
    late.land(way_of_third)
    error = refused(TrustError, lambda: late.land(way.first), late)
    assert error.problem.endswith(
        "delivery 1 is older than delivery 3, which this site has"
    )
    late.registry.close()


def test_a_forked_history_is_said_to_be_one(way: Way, isolated: Isolated) -> None:
    """Row 16: two deliveries 2, each signed with good keys; a person must decide."""
    isolated.land(way.first)
    isolated.land(way.second)
    error = refused(TrustError, lambda: isolated.land(way.forked), isolated)
    (volume,) = way.volumes(way.forked)
    assert error.problem == (f"{volume}: there are two deliveries 2: a forked history")


def test_a_missing_base_is_named_with_who_brought_it(
    way: Way, isolated: Isolated
) -> None:
    """Row 47: exit code 8, the number of the delivery to import first, and no trace."""
    error = refused(IncompleteError, lambda: isolated.land(way.second), isolated)
    assert error.problem == (
        "delivery 2 builds on 2 blob(s) that this site does not hold: "
        "c.bin of acme/m and 1 more (brought by delivery 1)"
    )
    assert error.hint.startswith("import delivery 1 (again) before this one")
    isolated.land(way.first)
    isolated.land(way.second)
    assert_whole(isolated, {**FILES, "a.bin": b"changed"})


# --- clocks ----------------------------------------------------------------------


def test_a_clock_that_runs_behind_is_warned_about(way: Way, isolated: Isolated) -> None:
    """Row 52: a host without a battery thinks it is 2020; the signed times know better."""
    landed = isolated.land(way.first)
    assert landed.arrival.delivery.warnings == ()
    behind = isolated.land(way.second, now="2020-01-01T00:00:00Z")
    assert behind.arrival.delivery.warnings == (
        (
            f"this host's clock says 2020-01-01T00:00:00Z, before {NOW}, which is "
            "verified: set the clock"
        ),
        (
            f"the delivery was issued at {NOW}, later than this host's clock "
            "(2020-01-01T00:00:00Z): one of the two clocks is wrong"
        ),
    )
    assert_whole(isolated, {**FILES, "a.bin": b"changed"})


def test_a_clock_that_runs_ahead_cannot_be_told_from_age(
    way: Way, isolated: Isolated
) -> None:
    """Row 52: what is believed to have expired is refused, with both times."""
    late = "2040-01-01T00:00:00Z"
    error = refused(TrustError, lambda: isolated.land(way.first, now=late), isolated)
    assert "expired on 20" in error.problem
    assert late in error.problem + error.hint
    isolated.land(way.first)
    assert_whole(isolated)


def test_a_medium_that_is_gone_before_it_is_read_is_asked_for(
    way: Way, stick: Path, isolated: Isolated
) -> None:
    """Row 22: found, and pulled out before the first byte of a volume was taken."""
    ((_, candidates),) = media.group(media.find([stick]).candidates)
    last = way.volumes(stick)[-1]
    last.unlink()
    error = refused(
        IncompleteError,
        lambda: landing.land(candidates, isolated.gate, Desk(), now=NOW),
        isolated,
    )
    assert error.problem == f"{last}: its medium is not there any more"
    assert error.hint == (
        "put it in again, mounted anywhere, and run the same command; what verified "
        f"is kept; still needed: {last.name}"
    )
