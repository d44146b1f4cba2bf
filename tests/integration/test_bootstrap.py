"""``airlift bootstrap`` as it is typed: what it says, and what it refuses."""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.trust import fingerprint
from hubs.wheelhouse import Wheelhouse, make_metadata, make_wheel
from integration.sides import SITE, Side

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
OWN = "airlift-9.9-py3-none-any.whl"


@pytest.fixture(scope="module", name="prepared")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> Side:
    """A connected side with a key and a site, made once."""
    return Side.connected(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(name="side")
def _side(prepared: Side, tmp_path: Path) -> Iterator[Side]:
    """A copy of it that asks an index on this host, which has what is needed."""
    metadata = make_metadata("airlift", "9.9", requires=["click>=8"])
    (tmp_path / OWN).write_bytes(make_wheel("airlift", "9.9", metadata))
    with Wheelhouse() as house:
        house.add("click", "8.0")
        side = prepared.copied(tmp_path)
        side.environment = {"UV_DEFAULT_INDEX": house.url}
        yield side


def words(side: Side, kit: Path) -> tuple[str, ...]:
    """Return the words that make a kit of the small airlift."""
    own = str(side.home.with_name(OWN))
    return ("bootstrap", str(kit), "--python", PYTHON, "--airlift-wheel", own)


def test_it_prints_what_is_told_by_telephone(side: Side, tmp_path: Path) -> None:
    """The two numbers, and the words of the root, are those of the kit itself."""
    kit = tmp_path / "kit"
    said = side.ok(*words(side, kit)).splitlines()
    sums = hashlib.sha256((kit / "SHA256SUMS").read_bytes()).hexdigest()
    root = fingerprint.of_root((side.home / "root.json").read_bytes())
    wheel = hashlib.sha256((kit / "wheels" / OWN).read_bytes()).hexdigest()
    assert said[1:6] == [
        f"SHA-256 of SHA256SUMS  {sums}",
        f"SHA-256 of {OWN}  {wheel}",
        f"root of {SITE}, SHA-256  {root.groups}",
        f"              in words  {root.words}",
        "tell these numbers to the isolated side by another way than the kit",
    ]
    assert (kit / "root.json").read_bytes() == (side.home / "root.json").read_bytes()


def test_it_tells_programs_the_same(side: Side, tmp_path: Path) -> None:
    """Every value of the text, under a name."""
    kit = tmp_path / "new" / "kit"
    told = side.json(*words(side, kit))
    root = fingerprint.of_root((side.home / "root.json").read_bytes())
    files = [path for path in kit.rglob("*") if path.is_file()]
    assert told == {
        "folder": str(kit),
        "site": SITE,
        "python": PYTHON,
        "platform": "x86_64-manylinux_2_28",
        "sums_sha256": hashlib.sha256((kit / "SHA256SUMS").read_bytes()).hexdigest(),
        "airlift_wheel": OWN,
        "airlift_sha256": hashlib.sha256(
            (kit / "wheels" / OWN).read_bytes()
        ).hexdigest(),
        "fingerprint": root.digest,
        "words": root.words,
        "wheels": [OWN, "click-8.0-py3-none-any.whl"],
        "bytes": sum(path.stat().st_size for path in files),
    }


def test_a_folder_that_is_there_is_left_as_it_is(side: Side, tmp_path: Path) -> None:
    """A kit is never mixed with another one, nor with anybody's files."""
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "mine").touch()
    error, hint = side.fails(2, *words(side, tmp_path / "kit"))
    assert error == f"airlift: error: {tmp_path / 'kit'} is there already"
    assert hint == "airlift: hint: name a new folder for the kit"
    assert [path.name for path in (tmp_path / "kit").iterdir()] == ["mine"]


def test_without_a_root_there_is_nothing_to_vouch_for(tmp_path: Path) -> None:
    """The first command of all comes first."""
    side = Side(tmp_path / "home")
    error, hint = side.fails(2, "bootstrap", str(tmp_path / "kit"))
    assert error == f"airlift: error: there is no root in {side.home / 'trust'} yet"
    assert hint == "airlift: hint: `airlift trust init --site NAME` makes one"
    assert not (tmp_path / "kit").exists()


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        (("--python", "3"), "`3` is no minor version of Python"),
        (("--python", "3.11.7"), "`3.11.7` is no minor version of Python"),
        (("--site", "plant8"), f"there is no site `plant8`; known are {SITE}"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    side: Side, tmp_path: Path, option: tuple[str, str], problem: str
) -> None:
    """Before anything is fetched."""
    done = side.run("bootstrap", str(tmp_path / "kit"), *option, "--json")
    told = json.loads(done.stdout)["error"]
    assert (told["exit_code"], told["problem"]) == (2, problem)
    assert not (tmp_path / "kit").exists()


def test_an_unmounted_stick_gets_no_kit(side: Side) -> None:
    """The classic wasted trip, for the first trip of all."""
    if Path("/mnt").stat().st_dev != Path("/").stat().st_dev:
        pytest.skip("something is mounted at /mnt on this host")
    kit = Path("/mnt/airlift-is-not-mounted/kit")
    error, _ = side.fails(2, *words(side, kit))
    assert error.endswith(f"{kit.parent} is under /mnt, but nothing is mounted there")
    assert not kit.parent.exists()


def test_a_wheel_the_index_lacks_leaves_no_kit(side: Side, tmp_path: Path) -> None:
    """Half a kit would be found out on the other side."""
    metadata = make_metadata("airlift", "9.9", requires=["absent-from-it"])
    side.home.with_name(OWN).write_bytes(make_wheel("airlift", "9.9", metadata))
    error, *_ = side.fails(3, *words(side, tmp_path / "kit"))
    assert "absent-from-it" in error
    assert not (tmp_path / "kit").exists()
    assert not (tmp_path / "kit.part").exists()
