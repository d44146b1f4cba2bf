"""What goes wrong on a bad day, with the real commands: said clearly, nothing lost."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.errors import FormatError, IncompleteError, StoreError, TrustError
from crossing import noise, weights
from hubs.faults import Fault
from hubs.hub import Hub
from hubs.repository import Repo
from integration.sides import SITE, Side

FILES = {
    "config.json": b'{"hidden_size": 4}',
    "model.safetensors": weights(8_000_000),
    "sub/noise.bin": noise(24_000_000),
    "tokenizer.json": noise(70_000, 3),
}
VOLUME = "8MiB"
MANIFEST = 'manifest = 1\n\n[[folder]]\nname = "acme/m"\npath = "{}"\n'


@pytest.fixture(scope="module", name="prepared")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> Side:
    """A connected side that has a manifest for a folder, and has made nothing yet."""
    folder = tmp_path_factory.mktemp("trouble")
    side = Side.connected(folder)
    for path, data in FILES.items():
        (folder / "model" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "model" / path).write_bytes(data)
    (side.home / "m.toml").write_text(MANIFEST.format(folder / "model"))
    return side


@pytest.fixture(name="side")
def _side(prepared: Side, tmp_path: Path) -> Side:
    """A copy of that side."""
    return prepared.copied(tmp_path)


@pytest.fixture(scope="module", name="carried")
def _carried(prepared: Side, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A medium with a finished delivery."""
    folder = tmp_path_factory.mktemp("carried")
    side = prepared.copied(folder)
    export(side, folder / "medium")
    return folder / "medium"


def asked(side: Side, medium: Path) -> tuple[str, ...]:
    """Return the words of the export that these tests make."""
    manifest = str(side.home / "m.toml")
    return ("export", manifest, "--to", str(medium), "--volume-size", VOLUME)


def export(side: Side, medium: Path) -> dict[str, object]:
    """Export to *medium*; return what was told."""
    told = side.json(*asked(side, medium))
    assert isinstance(told, dict)
    return told


def take_in(medium: Path) -> tuple[str, ...]:
    """Return the words of an import from *medium*."""
    return ("import", str(medium), "--yes")


def assert_whole(isolated: Side) -> None:
    """Check that the isolated side has everything, and that every byte is right."""
    (held,) = isolated.json("list")["releases"]
    assert (held["name"], held["state"], held["files"]) == ("acme/m", "live", 4)
    files = {
        one["path"]: one["size"] for one in isolated.json("show", "acme/m")["file_list"]
    }
    assert files == {path: len(data) for path, data in FILES.items()}
    isolated.ok("verify")


def names(folder: Path) -> list[str]:
    """Return what lies in *folder*."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def in_mounts(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script that may mount; skip where that is not allowed."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare")
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this host allows no mount namespace to this user")
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wrong_passphrase_writes_nothing(side: Side, tmp_path: Path) -> None:
    """A typing error costs a second try and no sequence number."""
    (tmp_path / "wrong").write_text("guess\n")
    medium = tmp_path / "medium"
    phrase = ("--passphrase-file", str(tmp_path / "wrong"))
    error, *_ = side.fails(TrustError.exit_code, *asked(side, medium), *phrase)
    assert "passphrase" in error
    assert "alice" in error
    assert names(medium) == []
    assert export(side, medium)["sequence"] == 1


def test_a_missing_volume_is_named_and_may_come_later(
    prepared: Side, carried: Path, tmp_path: Path
) -> None:
    """Exit 8, not 4: nothing is wrong, something is not here yet."""
    isolated = prepared.isolated(tmp_path)
    stick = Path(shutil.copytree(carried, tmp_path / "stick"))
    gone = sorted(stick.glob("*.tar"))[1]
    later = tmp_path / "later"
    later.mkdir()
    gone.rename(later / gone.name)
    error = isolated.fails(IncompleteError.exit_code, *take_in(stick))[-2]
    assert error.endswith(f"needed: {gone.name}")
    assert isolated.json("list")["releases"] == []
    isolated.ok(*take_in(later))
    assert_whole(isolated)


def test_a_changed_byte_is_named_and_a_good_copy_helps(
    prepared: Side, carried: Path, tmp_path: Path
) -> None:
    """The one volume is copied again, not the whole delivery."""
    isolated = prepared.isolated(tmp_path)
    stick = Path(shutil.copytree(carried, tmp_path / "stick"))
    bad = sorted(stick.glob("*.tar"))[2]
    data = bytearray(bad.read_bytes())
    data[4_000_000] ^= 0x40
    bad.write_bytes(data)
    lines = isolated.fails(FormatError.exit_code, *take_in(stick))
    assert f"airlift: error: {bad}: byte " in lines[-2]
    match = re.fullmatch(
        rf"airlift: hint: what verified is kept; bring good copies of: {bad.name}; what "
        r"is lost is written again on the connected host: `airlift reissue plant7 1 "
        r"3@[0-9a-f]{8} --to FOLDER`",
        lines[-1],
    )
    assert match, lines[-1]
    assert isolated.json("list")["releases"] == []
    shutil.copy(carried / bad.name, bad)
    isolated.ok(*take_in(stick))
    assert_whole(isolated)


def test_an_interrupted_export_goes_on(side: Side, tmp_path: Path) -> None:
    """Ctrl-C leaves whole volumes and `.part` files; the same command finishes."""
    medium = tmp_path / "medium"
    code = side.stopped(
        signal.SIGINT, tmp_path, "medium/*.0003-*.tar.part", *asked(side, medium)
    )
    assert code == 130
    early = {path.name: path.read_bytes() for path in medium.glob("*.tar")}
    assert len(early) >= 2
    assert not list(medium.glob("*SHA256SUMS*"))
    told = export(side, medium)
    assert (told["sequence"], told["resumed"]) == (1, True)
    assert {name: (medium / name).read_bytes() for name in early} == early
    assert not list(medium.glob("*.part"))
    side.ok("check", str(medium))
    isolated = side.isolated(tmp_path)
    isolated.ok(*take_in(medium))
    assert_whole(isolated)


def test_an_unfinished_export_is_not_called_finished(
    side: Side, tmp_path: Path
) -> None:
    """`check` vouches for finished deliveries only."""
    medium = tmp_path / "medium"
    side.stopped(
        signal.SIGINT, tmp_path, "medium/*.0002-*.tar.part", *asked(side, medium)
    )
    error, hint = side.fails(2, "check", str(medium))
    assert error == f"airlift: error: no finished delivery to {SITE} is in the ledger"
    assert hint == "airlift: hint: `airlift export` makes one"


def test_a_killed_export_goes_on_with_the_same_number(
    side: Side, tmp_path: Path
) -> None:
    """A power cut costs the volume that was being written and nothing else."""
    medium = tmp_path / "medium"
    code = side.stopped(
        signal.SIGKILL, tmp_path, "medium/*.0002-*.tar.part", *asked(side, medium)
    )
    assert code == -signal.SIGKILL
    told = export(side, medium)
    assert (told["sequence"], told["resumed"]) == (1, True)
    isolated = side.isolated(tmp_path)
    isolated.ok(*take_in(medium))
    assert_whole(isolated)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_import_leaves_nothing_live_and_goes_on(
    prepared: Side, carried: Path, tmp_path: Path, number: int
) -> None:
    """Half a delivery is no delivery; what came is not read again."""
    isolated = prepared.isolated(tmp_path)
    code = isolated.stopped(
        number,
        isolated.home / "incoming",
        "*/progress.json",
        *take_in(carried),
    )
    assert code == (-number if number == signal.SIGKILL else 130)
    assert isolated.json("list")["releases"] == []
    isolated.ok(*take_in(carried))
    assert_whole(isolated)
    assert names(isolated.home / "incoming") == []


@pytest.fixture(name="hub")
def _hub() -> Iterator[Hub]:
    """A hub whose large file comes slowly."""
    repo = Repo("acme/slow")
    repo.commit({"config.json": b"{}", "model.safetensors": noise(4_000_000)})
    with Hub(repo) as hub:
        hub.break_file("model.safetensors", Fault(pause_s=0.02, times=1))
        yield hub


def test_an_interrupted_fetch_goes_on_where_it_was(
    prepared: Side, hub: Hub, tmp_path: Path
) -> None:
    """Gigabytes that came over a slow line are not asked for twice."""
    side = prepared.copied(tmp_path)
    side.environment = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"}
    manifest = side.home / "slow.toml"
    manifest.write_text('manifest = 1\n\n[[model]]\nrepo = "acme/slow"\n')
    medium = tmp_path / "medium"
    words = ("export", str(manifest), "--to", str(medium))
    code = side.stopped(signal.SIGINT, side.home / "store", "partial/*", *words)
    assert code == 130
    assert names(medium) == []
    told = side.json(*words)
    assert (told["sequence"], told["resumed"]) == (1, False)
    isolated = side.isolated(tmp_path)
    isolated.ok("import", str(medium), "--yes")
    isolated.ok("verify")


def test_a_medium_that_is_too_small_is_refused_and_another_works(
    side: Side, tmp_path: Path
) -> None:
    """Before the first volume is written, and in numbers."""
    medium = tmp_path / "medium"
    medium.mkdir()
    script = 'mount -t tmpfs -o size=20m tmpfs "$1"; shift; exec "$@"'
    done = in_mounts(script, medium, *side.words(*asked(side, medium)))
    assert done.returncode == StoreError.exit_code, done.stderr
    error, hint = done.stderr.splitlines()
    free = f"airlift: error: {medium} has {20 << 20} bytes free, the volumes need "
    assert error.startswith(free)
    assert hint == (
        "airlift: hint: use a larger medium, several (`--to A --to B`), or one after "
        "the other (`--wait`); nothing was written"
    )
    told = export(side, tmp_path / "other")
    assert (told["sequence"], told["resumed"]) == (1, True)


def test_a_medium_that_fills_up_keeps_what_is_whole(side: Side, tmp_path: Path) -> None:
    """Somebody else writes to the stick meanwhile; here its table of files is full."""
    medium = tmp_path / "medium"
    medium.mkdir()
    script = (
        'mount -t tmpfs -o nr_inodes=3 tmpfs "$1"; folder="$1"; shift; '
        '"$@"; code=$?; ls "$folder"; exit $code'
    )
    done = in_mounts(script, medium, *side.words(*asked(side, medium)))
    assert done.returncode == StoreError.exit_code, done.stderr
    error, hint = done.stderr.splitlines()
    assert error.startswith(f"airlift: error: {medium} is full: ")
    assert hint.endswith("then run the same command again")
    volumes = done.stdout.split()
    assert [name.endswith(".tar") for name in volumes] == [True, True]
    assert export(side, tmp_path / "other")["resumed"] is True


def test_a_full_store_refuses_an_import_and_stays_as_it_was(
    prepared: Side, carried: Path, tmp_path: Path
) -> None:
    """First by reckoning; and where reckoning did not help, by the disk itself."""
    isolated = prepared.isolated(tmp_path)
    store = isolated.home / "store"
    store.mkdir(exist_ok=True)
    listed = " ".join(isolated.words("list", "--json"))
    for options, expected in (
        ("size=60m", f"airlift: error: the store has {60 << 20} bytes free, "),
        ("nr_inodes=6", "no space left to "),
    ):
        script = (
            f'mount -t tmpfs -o {options} tmpfs "$1"; shift; "$@"; code=$?; '
            f"{listed}; exit $code"
        )
        done = in_mounts(script, store, *isolated.words(*take_in(carried)))
        assert done.returncode == StoreError.exit_code, done.stderr
        assert expected.casefold() in done.stderr.casefold()
        assert "Traceback" not in done.stderr
        assert json.loads(done.stdout)["releases"] == []
    isolated.ok(*take_in(carried))
    assert_whole(isolated)


def test_memory_does_not_grow_with_the_model(side: Side, tmp_path: Path) -> None:
    """400 MB go through less than 256 MiB on either side, and so does any model."""
    model = tmp_path / "large"
    model.mkdir()
    with (model / "model.safetensors").open("wb") as out:
        out.write(weights(50_000_000))
        for seed in range(2, 7):
            out.write(weights(50_000_000, seed)[100:])
    with (model / "noise.bin").open("wb") as out:
        for seed in range(4):
            out.write(noise(25_000_000, seed))
    assert sum(path.stat().st_size for path in model.iterdir()) > 399_000_000
    (side.home / "m.toml").write_text(MANIFEST.format(model))
    medium, isolated = tmp_path / "medium", side.isolated(tmp_path)
    limit = 256 << 20
    arguments = ("export", str(side.home / "m.toml"), "--to", str(medium))
    peaks = {
        "export": side.peak_rss(*arguments),
        "import": isolated.peak_rss(*take_in(medium)),
    }
    print({name: f"{peak / 2**20:.0f} MiB" for name, peak in peaks.items()})
    assert {name for name, peak in peaks.items() if peak > limit} == set(), peaks
    isolated.ok("verify")


def test_commands_of_a_closed_pipe_end_quietly(prepared: Side) -> None:
    """`airlift list | head` is not an error."""
    words = [sys.executable, "-m", "airlift", "--help"]
    script = '"$@" | head -c 1 >/dev/null'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *words],
        env={**os.environ, **prepared.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
