"""Media as they come: read-only, half full, not mounted, with other people's files."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.errors import FormatError, RequestError, StoreError
from airlift.inbound import media
from airlift.outbound import checking, medium, mounts
from airlift.outbound.checking import Checked
from airlift.progress import Silent
from crossing import MODEL, Crossing, Isolated

CUT = 5_000_000
AIRLIFT = f"{sys.executable} -m airlift"


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Crossing:
    """A delivery of three volumes, made once and never changed."""
    crossing = Crossing(tmp_path_factory.mktemp("media"))
    crossing.connected.export(
        crossing.medium, crossing.connected.folder("acme/m", MODEL), capacity=CUT
    )
    crossing.isolated.registry.close()
    return crossing


@pytest.fixture(name="stick")
def _stick(made: Crossing, tmp_path: Path) -> Path:
    """A copy of the medium to do things to."""
    return Path(shutil.copytree(made.medium, tmp_path / "stick"))


@pytest.fixture(name="isolated")
def _isolated(made: Crossing, tmp_path: Path) -> Isolated:
    """A fresh isolated side."""
    return Isolated(tmp_path / "isolated", made.connected.publisher.root_bytes())


def carried(isolated: Isolated) -> dict[str, bytes]:
    """Return the files of every live release."""
    return {
        file.path: b"".join(isolated.store.read(file.sha256))
        for held in isolated.registry.releases()
        if held.state == "live"
        for file in isolated.registry.files(held.id)
    }


def volumes(folder: Path) -> list[Path]:
    """Return the volumes in *folder*, in order."""
    return sorted(folder.glob("*.tar"))


def mounted(script: str, *arguments: Path | str) -> "subprocess.CompletedProcess[str]":
    """Run a shell script where it may mount; skip where that is not allowed."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare")
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this host allows no mount namespace to this user")
    return subprocess.run(
        ["unshare", "-rm", "sh", "-e", "-c", script, "sh", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def python(*lines: str) -> str:
    """Return a shell command that runs *lines* of Python; arguments follow."""
    program = "\n".join(
        [
            "import sys",
            "from pathlib import Path",
            "from airlift.errors import AirliftError",
            "from airlift.outbound import medium, mounts",
            *lines,
        ]
    )
    assert "'" not in program
    return f"{sys.executable} -c '{program}'"


PREPARE = python(
    "try:",
    '    medium.prepare(Path(sys.argv[1]), {"v.tar": int(sys.argv[2])})',
    '    print("fit")',
    "except AirliftError as error:",
    '    print(error.word, "|", error.problem, "|", error.hint)',
)

ordinary: Sequence[str] = (
    # As root, without the right to pass over permissions.
    ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if os.geteuid() == 0
    else []
)


def unprivileged(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run *command* as somebody whom permissions bind."""
    if ordinary and not shutil.which("setpriv"):
        pytest.skip("as root this needs setpriv")
    return subprocess.run(
        [*ordinary, *command], capture_output=True, text=True, check=False
    )


# --- finding ---------------------------------------------------------------------


def test_volumes_are_found_two_folders_deep_and_no_deeper(
    stick: Path, isolated: Isolated
) -> None:
    """People sort sticks into folders; a whole disk is not searched."""
    one, two, three = volumes(stick)
    for path, below in ((two, "a"), (three, "a/b")):
        (stick / below).mkdir(exist_ok=True)
        path.rename(stick / below / path.name)
    isolated.land(stick)
    assert carried(isolated) == dict(MODEL)
    (stick / "a/b/c").mkdir()
    (stick / "a/b" / three.name).rename(stick / "a/b/c" / three.name)
    found = [one.path.name for one in media.find([stick]).candidates]
    assert sorted(found) == [one.name, two.name]


def test_names_that_dos_made_do_not_matter(stick: Path, isolated: Isolated) -> None:
    """Old systems and scan stations shorten names to 8.3 and shout them."""
    for number, path in enumerate(volumes(stick), 1):
        path.rename(stick / f"AIRLIF~{number}.TAR")
    isolated.land(stick)
    assert carried(isolated) == dict(MODEL)


def test_one_volume_named_twice_is_read_once(stick: Path) -> None:
    """`airlift import /media/stick /media/stick/*.tar` is what shells make of globs."""
    found = media.find([stick, *volumes(stick)])
    assert [one.path for one in found.candidates] == volumes(stick)


def test_a_link_that_the_operator_names_is_followed(stick: Path) -> None:
    """/media/stick is a link to /run/media/user/stick on some systems."""
    link = stick.with_name("link")
    link.symlink_to(stick)
    found = media.find([link])
    assert [one.path for one in found.candidates] == volumes(stick)
    link.unlink()
    link.symlink_to(volumes(stick)[0])
    assert [one.path for one in media.find([link]).candidates] == volumes(stick)[:1]


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A typing error must not look like an empty medium."""
    with pytest.raises(RequestError) as caught:
        media.find([tmp_path / "stikc"])
    assert caught.value.problem == (
        f"cannot read {tmp_path / 'stikc'}: No such file or directory"
    )
    assert caught.value.hint == "is the medium mounted?"


def test_a_folder_nobody_may_open_is_left_alone(made: Crossing, stick: Path) -> None:
    """Every ext4 stick has a lost+found that only root may look into."""
    (stick / "lost+found").mkdir(mode=0)
    (stick / "lost+found").chmod(0)
    home = stick.with_name("home")
    Isolated(home, made.connected.publisher.root_bytes()).registry.close()
    done = unprivileged(
        *f"{AIRLIFT} import {stick} --yes --home {home}".split(" "),
    )
    assert done.returncode == 0, done.stderr
    left = f"airlift: left alone: {stick}/lost+found (Permission denied)"
    assert left in done.stderr.splitlines()
    (stick / "lost+found").chmod(0o755)


def test_a_volume_nobody_may_open_is_named(made: Crossing, stick: Path) -> None:
    """The import must not say that it never came."""
    shut = volumes(stick)[1]
    shut.chmod(0)
    home = stick.with_name("home")
    Isolated(home, made.connected.publisher.root_bytes()).registry.close()
    done = unprivileged(*f"{AIRLIFT} import {stick} --yes --home {home}".split(" "))
    assert done.returncode == FormatError.exit_code, done.stderr
    assert f"{shut}: byte 0: cannot be opened: Permission denied" in done.stderr


def test_a_write_protected_medium_is_read(made: Crossing, stick: Path) -> None:
    """Media with a lock switch are the rule; nothing is ever written to them."""
    for path in stick.iterdir():
        path.chmod(0o444)
    stick.chmod(0o555)
    home = stick.with_name("home")
    Isolated(home, made.connected.publisher.root_bytes()).registry.close()
    script = (
        'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; '
        '! touch "$1/x" 2>/dev/null; '
        f'{AIRLIFT} import "$1" --yes --home "$2"'
    )
    before = {path.name: path.stat().st_mtime_ns for path in stick.iterdir()}
    done = mounted(script, stick, home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2] == "delivery 1 imported; live set 1"
    assert {path.name: path.stat().st_mtime_ns for path in stick.iterdir()} == before
    stick.chmod(0o755)


# --- preparing -------------------------------------------------------------------


def test_a_medium_that_is_not_mounted_is_not_written_to() -> None:
    """The classic wasted trip: a delivery in the empty folder of an absent stick."""
    folder = Path("/mnt/airlift-is-not-mounted/here")
    if Path("/mnt").stat().st_dev != Path("/").stat().st_dev:
        pytest.skip("something is mounted at /mnt on this host")
    with pytest.raises(RequestError) as caught:
        medium.prepare(folder, {})
    assert (
        caught.value.problem == f"{folder} is under /mnt, but nothing is mounted there"
    )
    assert not folder.parent.exists()


def test_a_medium_that_is_mounted_is_written_to() -> None:
    """The same folder, with something mounted there."""
    done = mounted(f"mount -t tmpfs tmpfs /mnt; {PREPARE} /mnt/a/b 1000")
    assert done.stdout == "fit\n", done.stderr


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """Neither the name given nor anything above it may be a file."""
    (tmp_path / "file").touch()
    with pytest.raises(RequestError) as caught:
        medium.prepare(tmp_path / "file", {})
    assert caught.value.problem == f"{tmp_path / 'file'} is not a folder"
    with pytest.raises(StoreError, match="Not a directory"):
        medium.prepare(tmp_path / "file" / "below", {})


def test_a_medium_with_too_little_room_is_refused_unwritten(tmp_path: Path) -> None:
    """Found out before hours of writing; what is there whole is not counted."""
    script = f'mount -t tmpfs -o size=8m tmpfs "$1"; {PREPARE} "$1" '
    assert mounted(script + "7000000", tmp_path).stdout == "fit\n"
    done = mounted(script + "8000000", tmp_path)
    needed = 8_000_000 + (1 << 20)
    assert done.stdout == (
        f"store | {tmp_path} has {8 << 20} bytes free, the volumes need {needed} | "
        "use a larger medium, several (`--to A --to B`), or one after the other "
        "(`--wait`); nothing was written\n"
    )
    half = 'head -c 5000000 /dev/zero > "$1/v.tar"; '
    there = script.replace("; ", f"; {half}", 1)
    assert mounted(there + "5000000", tmp_path).stdout == "fit\n"
    assert mounted(there + "5000001", tmp_path).stdout.startswith("store | ")


def test_a_read_only_medium_is_refused_before_anything_else(tmp_path: Path) -> None:
    """With the lock switch on, root too learns it now and not in an hour."""
    read_only = 'mount -t tmpfs tmpfs "$1"; mount -o remount,ro "$1"; '
    told = mounted(f'{read_only} {PREPARE} "$1" 1', tmp_path).stdout
    assert told == (
        f"store | cannot write to {tmp_path}: it is read-only for this user | "
        "mount the medium writable, or choose a folder of your own\n"
    )
    told = mounted(f'{read_only} {PREPARE} "$1/new" 1', tmp_path).stdout
    assert told == (
        f"store | cannot write to {tmp_path}/new: Read-only file system | "
        "is the medium read-only?\n"
    )


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Permissions are named as such."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs").chmod(0o555)
    done = unprivileged("sh", "-c", f"{PREPARE} {tmp_path}/theirs 1")
    assert done.stdout.startswith(
        f"store | cannot write to {tmp_path}/theirs: it is read-only for this user"
    )
    done = unprivileged("sh", "-c", f"{PREPARE} {tmp_path}/theirs/new 1")
    assert done.stdout.startswith(
        f"store | cannot write to {tmp_path}/theirs/new: Permission denied"
    )


def test_fat_takes_no_volume_of_4_gib(tmp_path: Path) -> None:
    """The kernel's own table of mounts says which file system a medium has.

    Here a table that names the folder as a stick lies over the kernel's, since few
    kernels that run tests can mount the real one.
    """
    (tmp_path / "table").write_text(
        f"none / tmpfs rw 0 0\n/dev/sdz1 {tmp_path}/a\\040stick vfat rw 0 0\n"
    )
    folder = tmp_path / "a stick"
    script = f'mount --bind "$1" /proc/$$/mounts; exec {PREPARE} "$2" '
    arguments = (tmp_path / "table", folder)
    done = mounted(script + str(2**32), *arguments)
    if "mount:" in done.stderr:
        pytest.skip(f"this kernel's table cannot be covered: {done.stderr.strip()}")
    assert done.stdout == (
        f"request | {folder} is FAT: a volume of {2**32} bytes exceeds {2**32 - 1} | "
        "use --volume-size fat32 or smaller\n"
    )
    assert mounted(script + str(2**20), *arguments).stdout == "fit\n"
    elsewhere = (tmp_path / "table", tmp_path / "a stick too")
    assert mounted(script + str(2**32), *elsewhere).stdout.startswith(("fit", "store"))


def test_a_real_fat_stick_takes_the_volumes_that_are_made_for_it(
    made: Crossing, tmp_path: Path
) -> None:
    """On kernels that have it, not only its limit but its names and times."""
    if not shutil.which("mkfs.vfat"):
        pytest.skip("needs mkfs.vfat")
    if "vfat" not in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has no vfat")
    image, point = tmp_path / "image", tmp_path / "point"
    point.mkdir()
    image.touch()
    os.truncate(image, 64 << 20)
    subprocess.run(["mkfs.vfat", "-n", "STICK", image], check=True)
    copy = f'mount -o loop "$1" "$2"; cp {made.medium}/* "$2"; '
    done = mounted(f'{copy} {PREPARE} "$2" {2**32}', image, point)
    if "mount:" in done.stderr:
        pytest.skip(f"this user may not mount an image: {done.stderr.strip()}")
    assert done.stdout.startswith(f"request | {point} is FAT: ")


# --- reading back ----------------------------------------------------------------


def check(made: Crossing, folder: Path, mount: str | None = None) -> Checked:
    """Read back what lies in *folder*."""
    entry = made.connected.dock.ledger.newest("plant7")
    assert entry
    if mount is not None:
        entry = replace(entry, mount=mount)
    return checking.check(folder, entry, Silent())


def test_a_good_medium_is_good(made: Crossing, stick: Path) -> None:
    """Whole, and the slip says so."""
    found = check(made, stick)
    assert [one.name for one in found.good] == [path.name for path in volumes(stick)]
    assert (found.problems, found.missing) == ((), ())


def test_a_changed_byte_is_found_before_the_trip(made: Crossing, stick: Path) -> None:
    """A fake stick gives other bytes back, with every write a success."""
    bad = volumes(stick)[1]
    data = bytearray(bad.read_bytes())
    data[len(data) // 2] ^= 1
    bad.write_bytes(data)
    found = check(made, stick)
    (problem,) = found.problems
    assert re.fullmatch(
        rf"{bad.name}: hashes to [0-9a-f]{{64}}, expected [0-9a-f]{{64}}", problem
    )
    assert bad.name not in [one.name for one in found.good]
    bad.write_bytes(data[:-1])
    (problem,) = check(made, stick).problems
    assert problem == (
        f"{bad.name}: has {len(data) - 1} bytes, {len(data)} were written"
    )


def test_a_volume_on_another_medium_is_no_fault(made: Crossing, stick: Path) -> None:
    """A delivery over several sticks is checked stick by stick."""
    gone = volumes(stick)[2]
    gone.unlink()
    found = check(made, stick)
    assert (found.problems, found.missing) == ((), (gone.name,))
    for path in volumes(stick):
        path.unlink()
    with pytest.raises(RequestError) as caught:
        check(made, stick)
    assert caught.value.problem == f"no volume of delivery 1 is in {stick}"


def test_whether_a_medium_was_mounted_anew_is_told(made: Crossing, stick: Path) -> None:
    """Bytes read before that may come from memory and not from the stick."""
    assert check(made, stick, mount=mounts.mount_of(stick)).fresh_mount is not True
    assert check(made, stick, mount="an earlier start once 7").fresh_mount is True
    assert check(made, stick, mount="").fresh_mount is None


def test_a_medium_mounted_again_is_another_mount(stick: Path) -> None:
    """Even where the kernel gives it the number it had before, as it does."""
    told = python("print(mounts.mount_of(Path(sys.argv[1])))")
    again = f'mount --bind "$1" "$1"; {told} "$1"; {told} "$1"; umount "$1"; '
    done = mounted(again * 2, stick)
    first, same, second, _ = done.stdout.splitlines()
    assert (mounts.is_fresh(same, first), first) == (False, same)
    if " once " not in first:
        pytest.skip("this kernel gives a mount's number to the next")
    assert mounts.is_fresh(second, first) is True


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        ("boot once 7", "boot once 7", False),
        ("boot once 8", "boot once 7", True),
        ("other once 7", "boot once 7", True),
        ("boot again 7", "boot again 7", None),
        ("boot again 8", "boot again 7", True),
        ("", "boot once 7", None),
        ("boot once 7", "", None),
    ],
)
def test_a_fresh_mount_is_claimed_only_where_it_is_known(
    now: str, before: str, expected: object
) -> None:
    """A slip that says yes to what nobody knows sends a bad stick on its way."""
    assert mounts.is_fresh(now, before) is expected


def test_the_volumes_of_a_medium_are_one_delivery(
    stick: Path, isolated: Isolated
) -> None:
    """Three files, one question to the operator, and none the second time."""
    groups = media.group(media.find([stick]).candidates)
    assert [len(several) for _, several in groups] == [3]
    isolated.land(stick)
    assert isolated.land(stick).repeat
