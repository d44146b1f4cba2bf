"""``airlift repair`` as it is typed: what it says, how it ends, media that fail."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airlift.cli.main import run
from airlift.outbound.allotment import Sparing
from crossing import Crossing, noise

SIZE = 2_000_000


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Crossing:
    """A delivery of four volumes and one spare."""
    crossing = Crossing(tmp_path_factory.mktemp("made"))
    crossing.connected.export(
        crossing.medium,
        crossing.connected.folder(
            "acme/m", {f"{n}.bin": noise(SIZE, n) for n in range(4)}
        ),
        capacity=SIZE + (500 << 10),
        sparing=Sparing(spares=1),
    )
    crossing.isolated.registry.close()
    return crossing


@pytest.fixture(name="stick")
def _stick(made: Crossing, tmp_path: Path) -> Path:
    """A copy of its medium."""
    return Path(shutil.copytree(made.medium, tmp_path / "stick"))


def volume(ordinal: int) -> str:
    """Return the file name of a volume."""
    return f"AIRLIFT-plant7-000001.{ordinal:04d}-of-0004.tar"


def spoil(path: Path, stripe: int) -> None:
    """Overwrite a sector of a stripe."""
    with path.open("r+b") as file:
        file.seek(stripe << 16)
        file.write(b"scratch!" * 512)


def test_each_volume_gets_a_line_and_success_a_next_step(
    stick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator sees at a glance which media are good."""
    spoil(stick / volume(2), 5)
    assert run(["repair", str(stick), "--to", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"whole    {volume(1)}",
        f"rebuilt  {volume(2)}  1 of 31 stripes",
        f"whole    {volume(3)}",
        f"whole    {volume(4)}",
        "next: `airlift import` with the media and this folder",
    ]


def test_a_medium_more_is_asked_for_by_name(
    stick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 8 means: all well so far, bring this."""
    for ordinal in (1, 3):
        (stick / volume(ordinal)).unlink()
    assert run(["repair", str(stick), "--to", str(tmp_path / "out")]) == 8
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"lacking  {volume(1)}  all 31 stripes",
        f"whole    {volume(2)}",
        f"lacking  {volume(3)}  all 31 stripes",
        f"whole    {volume(4)}",
    ]
    assert said.err.splitlines() == [
        "airlift: error: 2 volume(s) are not whole yet",
        f"airlift: hint: run it again with a medium that has any of: {volume(1)}, {volume(3)}",
    ]


def test_damage_beyond_repair_ends_as_damage(
    stick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 4, each stripe by its number, in the document for programs too."""
    for ordinal in (1, 3):
        for stripe in (5, 6, 9):
            spoil(stick / volume(ordinal), stripe)
    code = run(["repair", str(stick), "--to", str(tmp_path / "out"), "--json"])
    assert code == 4
    said = capsys.readouterr()
    (group,) = json.loads(said.out)["groups"]
    assert [one["lacking"] for one in group["volumes"]] == [
        [[5, 7], [9, 10]],
        [],
        [[5, 7], [9, 10]],
        [],
    ]
    told = re.sub("@[0-9a-f]{8}", "@CUTTING", said.err)
    assert told.splitlines() == [
        "airlift: error: 2 volume(s) are damaged beyond what the spares can repair",
        (
            "airlift: hint: on the connected host these are written again: "
            "`airlift reissue plant7 1 1,3@CUTTING --to FOLDER`"
        ),
    ]


def test_an_import_names_the_spares_that_can_help(
    made: Crossing, stick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has to know that the file beside the volumes is the way out."""
    (stick / volume(2)).unlink()
    home = str(made.isolated.home)
    assert run(["import", str(stick), "--yes", "--home", home]) == 8
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.sub("@[0-9a-f]{8}", "@CUTTING", said) == (
        "airlift: hint: run `airlift import` again with the other media; what came is "
        "kept; `airlift repair` can rebuild volumes from the spares here; what is lost is "
        "written again on the connected host: `airlift reissue plant7 1 2@CUTTING --to "
        "FOLDER`"
    )


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_sectors_that_cannot_be_read_are_rebuilt(
    made: Crossing, stick: Path, tmp_path: Path
) -> None:
    """A medium that refuses a read gives the rest, and the spare gives what it kept.

    The first seven reads of a volume fail: all at once, then three stripes twice each.
    """
    bad = stick / volume(3)
    program = [sys.executable, "-m", "airlift", "repair", str(stick)]
    tracer = ["strace", "-f", "-qq", "-o", os.devnull, "-P", str(bad)]
    reads = "preadv,preadv2"
    inject = ["-e", f"trace={reads}", "-e", f"inject={reads}:error=EIO:when=1..7"]
    out = tmp_path / "out"
    done = subprocess.run(
        [*tracer, *inject, *program, "--to", str(out), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (group,) = json.loads(done.stdout)["groups"]
    assert [one["rebuilt_stripes"] for one in group["volumes"]] == [0, 0, 3, 0]
    good = made.medium / volume(3)
    assert (out / volume(3)).read_bytes() == good.read_bytes()


def test_spares_are_read_back_and_summed_like_volumes(
    made: Crossing, capsys: pytest.CaptureFixture[str]
) -> None:
    """A spare that did not survive the writing is found out while there is time."""
    medium, home = made.medium, str(made.connected.home)
    (spare,) = medium.glob("*.spare")
    sums = (medium / "AIRLIFT-plant7-000001.SHA256SUMS").read_text()
    assert sums.splitlines()[-1].endswith(f"  {spare.name}")
    assert run(["check", str(medium), "--home", home]) == 0
    assert f"good     {spare.name}" in capsys.readouterr().out
    good = spare.read_bytes()
    spare.write_bytes(good[:-1] + b"\1")
    assert run(["check", str(medium), "--home", home]) == 4
    spare.write_bytes(good)
    assert f"BAD      {spare.name}: hashes to" in capsys.readouterr().out


def test_the_readme_says_what_spares_are_for(made: Crossing) -> None:
    """Who finds the medium in ten years reads that file first."""
    readme = (made.medium / "AIRLIFT-plant7-000001.README.txt").read_text()
    (spare,) = made.medium.glob("*.spare")
    assert (
        "1 spare(s), not needed unless volumes are lost or damaged:\n"
        f"  {spare.name}  {spare.stat().st_size} bytes\n"
    ) in readme
