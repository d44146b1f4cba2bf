"""The one checker of names."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift import naming

GOOD = [
    "a",
    "model.safetensors",
    "1_Pooling/config.json",
    ".gitattributes",
    "a b/c+d",
    "日本語.txt",
    "é.json",
]
BAD = {
    "": "is empty or longer than 1024 bytes",
    "/a": "has an empty, `.` or `..` part",
    "a//b": "has an empty, `.` or `..` part",
    "../a": "has an empty, `.` or `..` part",
    "a/..": "has an empty, `.` or `..` part",
    "./a": "has an empty, `.` or `..` part",
    "a/": "has an empty, `.` or `..` part",
    "C:evil": 'has a control character or one of <>:"|?*\\',
    "a\\b": 'has a control character or one of <>:"|?*\\',
    "a\0b": 'has a control character or one of <>:"|?*\\',
    "a\nb": 'has a control character or one of <>:"|?*\\',
    "a\u202eb": 'has a control character or one of <>:"|?*\\',
    "-rf": "has a part that starts with `-`",
    "dir/-x": "has a part that starts with `-`",
    "a.": "has a part that ends in a dot or space",
    "a ": "has a part that ends in a dot or space",
    "CON": "has a part whose name Windows reserves",
    "dir/nul.txt": "has a part whose name Windows reserves",
    "e\u0301": "is not in Unicode normal form C",
    "\ud800": "is not valid Unicode",
    "x" * 241: "has a part longer than 240 bytes",
    "/".join("x" * 17): "has more than 16 levels",
    "x/" * 600 + "x": "is empty or longer than 1024 bytes",
}


@pytest.mark.parametrize("path", GOOD)
def test_ordinary_paths_are_good(path: str) -> None:
    """The rules keep nothing out that real repositories hold."""
    assert naming.path_problem(path) == ""


@pytest.mark.parametrize(("path", "problem"), BAD.items(), ids=repr)
def test_a_hostile_path_is_named_for_what_it_is(path: str, problem: str) -> None:
    """Zip-slip, device names, options and bidirectional tricks end here."""
    assert naming.path_problem(path) == problem


_PIECES = (
    *("a", "B", "0", "_", "-", ".", "..", "+", " ", "/", "//", "\n", "x" * 240),
    *("com1", "NUL", "lpt", "con", "prn.", "aux", ".con", "com", "y/" * 15),
)


@given(
    st.lists(
        st.sampled_from(_PIECES),
        min_size=1,
        max_size=6,
    ).map("".join)
)
def test_ordinary_letters_earn_no_path_an_exception(path: str) -> None:
    """Paths of plain letters take a short cut, which must come to the same verdict."""
    by_the_long_way = naming.path_problem(f"é/{path}")
    if by_the_long_way != "has more than 16 levels":
        assert naming.path_problem(path) == by_the_long_way


@pytest.mark.parametrize(
    ("paths", "pair"),
    [
        (["config.json", "Config.json"], ("config.json", "Config.json")),
        (["\ufb01le", "file"], ("\ufb01le", "file")),
        (["K", "\u212a"], ("K", "\u212a")),
        (["a", "a/b"], ("a", "a/b")),
        (["A/x", "a"], ("a", "A/x")),
        (["a/b/c/d", "a/b/e", "A/B"], ("A/B", "a/b/c/d")),
        (["\u00e9/x", "\u00c9"], ("\u00c9", "\u00e9/x")),
        (["stra\u00dfe", "STRASSE"], ("stra\u00dfe", "STRASSE")),
    ],
)
def test_names_that_collide_on_some_disk_are_found(
    paths: list[str], pair: tuple[str, str]
) -> None:
    """Carried apart they would overwrite each other on a Mac or a stick."""
    assert naming.collision(paths) == pair


def test_different_names_do_not_collide() -> None:
    """Siblings and deeper files of one folder live side by side."""
    assert naming.collision(["a/b", "a/c", "ab", "a.b"]) is None


@given(st.text())
def test_what_is_shown_cannot_drive_a_terminal(text: str) -> None:
    """Escapes, bells, bidirectional marks and line breaks of outside names."""
    shown = naming.show(text)
    assert not any(unicodedata.category(c)[0] == "C" for c in shown)
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize("name", ["plant7", "a", "site-1", "x" * 32])
def test_site_names(name: str) -> None:
    """Short, ASCII, the same on every file system and in every TUF path."""
    assert naming.is_site(name)


@pytest.mark.parametrize(
    "name", ["", "Plant", "-a", "a-", "a/b", "x" * 33, "a b", "é", "a\n"]
)
def test_other_names_are_no_sites(name: str) -> None:
    """A site's name becomes a TUF role and a file name."""
    assert not naming.is_site(name)
