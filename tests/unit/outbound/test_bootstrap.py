"""First-install kits: complete, checkable by hand, and installable without a network."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import airlift
from airlift.errors import RequestError, SourceError
from airlift.fetch import Settings, own_wheel
from airlift.outbound import bootstrap
from airlift.payload import wheel, zip_directory
from airlift.progress import Silent
from airlift.sources.wheels import Wheels
from airlift.store.blobs import BlobStore
from airlift.trust import fingerprint
from hubs.wheelhouse import Wheelhouse, make_metadata, make_wheel

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LINUX = "x86_64-manylinux_2_28"
ROOT = b'{"signed": "as far as a kit is concerned"}'
NAME = "airlift-9.9-py3-none-any.whl"


@pytest.fixture
def house() -> Iterator[Wheelhouse]:
    """An index with what a small airlift needs, and what only its extras need."""
    with Wheelhouse() as house:
        house.add("click", "8.0", requires=["colour; sys_platform=='win32'"])
        house.add("native", "2.1", tags="py3-none-manylinux_2_28_x86_64")
        house.add("client", "1.0")
        yield house


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A small wheel named airlift."""
    requires = ["click>=8", "native", "client; extra == 'export'"]
    metadata = make_metadata("airlift", "9.9", requires=requires)
    (tmp_path / NAME).write_bytes(make_wheel("airlift", "9.9", metadata))
    return tmp_path / NAME


def order(folder: Path, own: Path | None) -> bootstrap.Order:
    """Return an order for a kit in *folder*."""
    return bootstrap.Order(
        folder=folder,
        site="plant7",
        python=PYTHON,
        platform=LINUX,
        root=ROOT,
        airlift_wheel=own,
    )


def build(house: Wheelhouse, folder: Path, own: Path | None) -> bootstrap.Kit:
    """Build a kit from *house*."""
    source = Wheels(Settings(endpoints={"wheels": house.url}))
    store = BlobStore(folder.parent / "store")
    return bootstrap.build_kit(order(folder, own), source, store, progress=Silent())


def test_a_kit_holds_all_and_says_how(
    house: Wheelhouse, own: Path, tmp_path: Path
) -> None:
    """Nobody on the other side can look anything up."""
    kit = build(house, tmp_path / "kit", own)
    files = sorted(
        path.relative_to(kit.folder).as_posix()
        for path in kit.folder.rglob("*")
        if path.is_file()
    )
    wheels = (
        NAME,
        "click-8.0-py3-none-any.whl",
        "native-2.1-py3-none-manylinux_2_28_x86_64.whl",
    )
    assert files == [
        *("INSTALL.txt", "SHA256SUMS", "requirements.txt", "root.fingerprint.txt"),
        "root.json",
        *(f"wheels/{name}" for name in wheels),
    ]
    assert kit.wheels == wheels
    assert kit.size == sum((kit.folder / path).stat().st_size for path in files)
    sums = (kit.folder / "SHA256SUMS").read_bytes()
    assert kit.sums_sha256 == hashlib.sha256(sums).hexdigest()
    assert (kit.folder / "root.json").read_bytes() == ROOT
    digests = [
        hashlib.sha256((kit.folder / "wheels" / name).read_bytes()).hexdigest()
        for name in wheels
    ]
    assert (kit.folder / "requirements.txt").read_text() == (
        f"airlift==9.9 --hash=sha256:{digests[0]}\n"
        f"click==8.0 --hash=sha256:{digests[1]}\n"
        f"native==2.1 --hash=sha256:{digests[2]}\n"
    )


def test_the_page_of_instructions_names_what_to_compare(
    house: Wheelhouse, own: Path, tmp_path: Path
) -> None:
    """A fingerprint that is not compared protects nobody."""
    text = (build(house, tmp_path / "kit", own).folder / "INSTALL.txt").read_text()
    root = fingerprint.of_root(ROOT)
    assert root.groups in text
    assert root.words in text
    assert "airlift trust init --site plant7 --root root.json" in text
    assert f"python{PYTHON} -m venv" in text
    assert "$" not in text
    assert max(map(len, text.splitlines())) < 250


def test_its_sums_are_read_by_the_usual_tool(
    house: Wheelhouse, own: Path, tmp_path: Path
) -> None:
    """It is all that a fresh host has; one changed byte must show."""
    kit = build(house, tmp_path / "kit", own)
    check = ["sha256sum", "-c", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=kit.folder, check=False).returncode == 0
    listed = {
        line.split("  ")[1]
        for line in (kit.folder / "SHA256SUMS").read_text().splitlines()
    }
    everything = {
        path.relative_to(kit.folder).as_posix()
        for path in kit.folder.rglob("*")
        if path.is_file()
    }
    assert everything - listed == {"SHA256SUMS"}
    changed = kit.folder / "root.json"
    changed.write_bytes(ROOT.replace(b"far", b"Far"))
    done = subprocess.run(check, cwd=kit.folder, check=False, capture_output=True)
    assert done.returncode != 0


def test_the_same_order_gives_the_same_kit(
    house: Wheelhouse, own: Path, tmp_path: Path
) -> None:
    """Two people who build it apart can compare one digest."""
    first = build(house, tmp_path / "one", own)
    assert build(house, tmp_path / "two", own).sums_sha256 == first.sums_sha256


def test_a_folder_that_is_there_is_not_touched(
    house: Wheelhouse, own: Path, tmp_path: Path
) -> None:
    """It may be the wrong stick."""
    (tmp_path / "kit").mkdir()
    with pytest.raises(RequestError) as caught:
        build(house, tmp_path / "kit", own)
    assert str(caught.value) == f"{tmp_path / 'kit'} is there already"


def test_another_projects_wheel_is_refused(house: Wheelhouse, tmp_path: Path) -> None:
    """A slip in a path must not install something else as airlift."""
    name = "click-8.0-py3-none-any.whl"
    (tmp_path / name).write_bytes(house.shelved[name].data)
    with pytest.raises(RequestError) as caught:
        build(house, tmp_path / "kit", tmp_path / name)
    assert str(caught.value) == f"`{name}` is not airlift's wheel"
    assert not (tmp_path / "kit").exists()


def test_a_wheel_with_two_meanings_ends_it(
    house: Wheelhouse, own: Path, tmp_path: Path
) -> None:
    """What a scanner sees must be what pip installs, from the first wheel on."""
    house.shelved["click-8.0-py3-none-any.whl"].data += b"\0"
    with pytest.raises(SourceError) as caught:
        build(house, tmp_path / "kit", own)
    assert str(caught.value) == (
        "click-8.0-py3-none-any.whl does not end in a ZIP end record without comment"
    )
    assert not (tmp_path / "kit").exists()


def test_the_running_airlift_packs_itself() -> None:
    """The other side must run the code that made its deliveries."""
    name, data = own_wheel.pack()
    assert own_wheel.pack() == (name, data)
    found = wheel.check(zip_directory.over(data), len(data), filename=name)
    assert found.name == "airlift"
    package = Path(airlift.__file__).parent
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        inside = set(archive.namelist())
        assert archive.read("airlift/errors.py") == (package / "errors.py").read_bytes()
    assert not any("__pycache__" in path for path in inside)
    modules = {
        f"airlift/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*.py")
    }
    assert modules <= inside
    assert any(line.startswith("click") for line in wheel.requires(found.metadata))


def in_no_network(command: list[str | Path], folder: Path) -> str:
    """Run *command* in a network namespace without a way out; return its output."""
    done = subprocess.run(
        ["unshare", "-rn", *command],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.namespace
def test_a_kit_installs_in_an_empty_network(
    house: Wheelhouse, own: Path, tmp_path: Path
) -> None:
    """The instructions, followed to the letter where there is no network at all."""
    kit = build(house, tmp_path / "kit", own)
    venv = tmp_path / "venv"
    in_no_network([sys.executable, "-m", "venv", venv], kit.folder)
    python = venv / "bin/python"
    install(python, kit.folder)
    script = "import airlift, click, native; print(airlift.VERSION)"
    assert in_no_network([python, "-c", script], kit.folder) == "9.9\n"


def install(python: Path, folder: Path) -> None:
    """Install a kit as its page says."""
    pip: list[str | Path] = [python, "-m", "pip", "--isolated", "install"]
    offline = ["--no-index", "--find-links", "wheels", "--require-hashes"]
    quiet = ["--quiet", "--disable-pip-version-check", "-r", "requirements.txt"]
    in_no_network([*pip, *offline, *quiet], folder)


@pytest.mark.index
@pytest.mark.namespace
def test_the_real_airlift_installs_in_an_empty_network(tmp_path: Path) -> None:
    """From a kit of the real index, the real command comes up on a bare host."""
    source = Wheels(Settings.from_environment(os.environ))
    store = BlobStore(tmp_path / "store")
    folder = tmp_path / "kit"
    bootstrap.build_kit(order(folder, None), source, store, progress=Silent())
    venv = tmp_path / "venv"
    in_no_network([sys.executable, "-m", "venv", venv], folder)
    install(venv / "bin/python", folder)
    said = in_no_network([venv / "bin/airlift", "--version"], folder)
    assert airlift.__version__ in said
    said = in_no_network([venv / "bin/airlift", "--help"], folder)
    assert "import" in said
