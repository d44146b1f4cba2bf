"""One digest says whether an installed package is the wheel that was carried."""

import subprocess
import sys
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.payload import installed, wheel, zip_directory
from airlift.payload.installed import Line
from wheelhouse import wheel as make


def carried(name: str, version: str, payload: bytes = b"") -> tuple[str, bytes]:
    """Return file name and bytes of a wheel."""
    filename, data, _ = make(name, version, payload=payload)
    return filename, data


def of_wheel(filename: str, data: bytes) -> tuple[Line, ...]:
    """Return the lines of a wheel's RECORD."""
    read = zip_directory.over(data)
    return installed.lines(wheel.read_record(read, len(data), filename=filename))


@pytest.mark.parametrize("compiled", [True, False])
def test_what_pip_installs_is_what_the_wheel_brings(
    tmp_path: Path, *, compiled: bool
) -> None:
    """An installer adds byte code, its own name and more: none of it is the wheel's."""
    filename, data = carried("some-tool", "1.2", b"x" * 100)
    (tmp_path / filename).write_bytes(data)
    target = tmp_path / "site"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index"),
            *("--no-deps", "--target", target, tmp_path / filename),
            *([] if compiled else ["--no-compile"]),
        ],
        check=True,
        timeout=120,
    )
    record = (target / "some_tool-1.2.dist-info/RECORD").read_bytes()
    found = installed.read(record)
    assert any(line.path.endswith(".pyc") for line in found) is compiled
    assert installed.content(found) == installed.content(of_wheel(filename, data))


def test_another_byte_in_a_wheel_is_another_content() -> None:
    """A rebuilt or poisoned package of the same version must not pass."""
    first, second = (of_wheel(*carried("a", "1", one)) for one in (b"one", b"two"))
    assert installed.content(first) != installed.content(second)


def test_only_what_a_wheel_brings_counts() -> None:
    """Installers write lines of their own, and rewrite the first line of scripts."""
    digest = installed.spelt(sha256(b"x"))
    brought = (
        Line(path="a/__init__.py", sha256=digest),
        Line(path="a-1.data/purelib/b.py", sha256=digest),
        Line(path="a-1.data/platlib/c.so", sha256=digest),
        Line(path="a-1.dist-info/METADATA", sha256=digest),
        Line(path="a-1.dist-info/WHEEL", sha256=digest),
        Line(path="a-1.dist-info/entry_points.txt", sha256=digest),
    )
    added = (
        Line(path="../../../bin/a", sha256=digest),
        Line(path="/usr/bin/a", sha256=digest),
        Line(path="a/__pycache__/__init__.cpython-311.pyc", sha256=digest),
        Line(path="a-1.data/scripts/a", sha256=digest),
        Line(path="a-1.dist-info/INSTALLER", sha256=digest),
        Line(path="a-1.dist-info/direct_url.json", sha256=digest),
        Line(path="a-1.dist-info/RECORD", sha256=""),
    )
    assert sorted(installed.placed(brought + added)) == [
        *("a-1.dist-info/METADATA", "a-1.dist-info/WHEEL"),
        *("a-1.dist-info/entry_points.txt", "a/__init__.py", "b.py", "c.so"),
    ]
    assert installed.content(brought) == installed.content(brought + added)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xff,sha256=x,1\n", "RECORD is not a table"),
        (b"x" * (installed.LIMIT + 1), "RECORD has 16777217 bytes"),
    ],
)
def test_what_is_no_record_is_refused(data: bytes, problem: str) -> None:
    """It lies on a host that nobody vouches for."""
    with pytest.raises(FormatError, match=problem):
        installed.read(data)


def test_lines_without_a_strong_digest_vouch_for_nothing() -> None:
    """An md5 in a RECORD says as little as none."""
    found = installed.read(b"a.py,md5=abc,3\nb.py,,\nc.py\n")
    assert [line.sha256 for line in found] == ["", "", ""]


@pytest.mark.parametrize(
    ("folder", "project"),
    [
        ("Some_Tool-1.02.dist-info", ("some-tool", "1.2")),
        ("a-none.dist-info", None),
        ("a.dist-info", None),
    ],
)
def test_a_folder_names_project_and_version(
    folder: str, project: tuple[str, str] | None
) -> None:
    """In the spelling that wheels that are held are looked up by."""
    assert installed.project(folder) == project


def test_a_wheels_record_is_read_without_the_rest() -> None:
    """Gigabytes of a wheel are not read to compare a list of names."""
    filename, data = carried("big", "1", b"y" * 500_000)
    asked: list[int] = []

    def read(offset: int, length: int) -> bytes:
        asked.append(length)
        return data[offset : offset + length]

    wheel.read_record(read, len(data), filename=filename)
    assert sum(asked) < 100_000
