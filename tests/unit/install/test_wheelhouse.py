"""A folder of wheels that installers use without an index."""

from pathlib import Path

from airlift.artifact import Kind
from airlift.digest import sha256
from depots import Depot, tree
from wheelhouse import wheel

APP, LIB1, LIB2, GPU = (
    wheel("App", "1.0", ["lib"]),
    wheel("lib", "1.0"),
    wheel("lib", "2.0"),
    wheel("gpu", "2.1+cu128"),
)


def files(*wheels: tuple[str, bytes, bytes]) -> dict[str, bytes]:
    """Return what the source of wheels carries of *wheels*."""
    return {
        path: content
        for name, body, described in wheels
        for path, content in ((name, body), (f"{name}.metadata", described))
    }


def test_wheels_lie_flat_beside_their_digests(tmp_path: Path) -> None:
    """The page and the list are what makes an installer check anything."""
    depot = Depot(tmp_path / "site")
    depot.bring(
        Kind.WHEELS, "team/set", files(APP, LIB1, GPU), revision="c" * 64, refs=()
    )
    done = depot.install("team/set", "wheelhouse", tmp_path / "wheels")
    found = tree(tmp_path / "wheels")
    page, listed = (
        found.pop("links-team--set.html"),
        found.pop("requirements-team--set.txt"),
    )
    assert found == {name: body for name, body, _ in (APP, GPU, LIB1)}
    assert isinstance(page, bytes)
    assert isinstance(listed, bytes)
    assert page.decode().splitlines()[2:] == [
        f'<a href="{name.replace("+", "%2B")}#sha256={sha256(body)}">{name}</a><br>'
        for name, body, _ in (APP, GPU, LIB1)
    ]
    assert listed.decode() == (
        "# Everything in the set, made by airlift.\n"
        f"app==1.0 \\\n    --hash=sha256:{sha256(APP[1])}\n"
        f"gpu==2.1+cu128 \\\n    --hash=sha256:{sha256(GPU[1])}\n"
        f"lib==1.0 \\\n    --hash=sha256:{sha256(LIB1[1])}\n"
    )
    page_name, list_name = "links-team--set.html", "requirements-team--set.txt"
    command = f"pip install --no-index --require-hashes -f {page_name} -r {list_name}"
    assert done.notes == (command,)


def test_two_versions_of_a_project_are_left_to_the_reader(tmp_path: Path) -> None:
    """An installer refuses a list that pins one project twice."""
    depot = Depot(tmp_path / "site")
    depot.bring(Kind.WHEELS, "set", files(LIB1, LIB2), revision="c" * 64, refs=())
    depot.install("set", "wheelhouse", tmp_path / "wheels")
    assert (tmp_path / "wheels/requirements-set.txt").read_text() == (
        "# Everything in the set, made by airlift.\n"
        "# lib is here in 2 versions; keep one:\n"
        f"# lib==1.0 \\\n#     --hash=sha256:{sha256(LIB1[1])}\n"
        f"# lib==2.0 \\\n#     --hash=sha256:{sha256(LIB2[1])}\n"
    )


def test_a_quarantined_project_is_left_out(tmp_path: Path) -> None:
    """Upstream found malware in it; installers would not know."""
    depot = Depot(tmp_path / "site")
    facts = {
        LIB1[0]: {"project-status": {"status": "quarantined", "reason": "malware"}}
    }
    depot.bring(
        *(Kind.WHEELS, "set", files(APP, LIB1)), revision="c" * 64, refs=(), facts=facts
    )
    depot.install("set", "wheelhouse", tmp_path / "wheels")
    assert sorted(tree(tmp_path / "wheels")) == sorted(
        [APP[0], "links-set.html", "requirements-set.txt"]
    )
    assert b"lib" not in (tmp_path / "wheels/links-set.html").read_bytes()


def test_sets_share_a_folder(tmp_path: Path) -> None:
    """Several teams' sets are one wheelhouse; a new set of a name renews its lists."""
    depot = Depot(tmp_path / "site")
    depot.bring(Kind.WHEELS, "one", files(APP, LIB1), revision="c" * 64, refs=())
    depot.bring(Kind.WHEELS, "two", files(LIB1, GPU), revision="d" * 64, refs=())
    depot.install("one", "wheelhouse", tmp_path / "wheels")
    done = depot.install("two", "wheelhouse", tmp_path / "wheels")
    assert done.present == 1
    newer = depot.bring(
        *(Kind.WHEELS, "one", files(APP, LIB2)), revision="e" * 64, counter=2, refs=()
    )
    depot.install(newer, "wheelhouse", tmp_path / "wheels")
    assert "lib==2.0" in (tmp_path / "wheels/requirements-one.txt").read_text()
    assert "lib==1.0" in (tmp_path / "wheels/requirements-two.txt").read_text()
