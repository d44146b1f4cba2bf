"""Ranges, sizes, licences: what a manifest leaves open, decided alike everywhere."""

import pytest

from airlift.errors import RequestError
from airlift.format import manifest, ranges, toml_lines

TAGS = (
    *("v1.0", "v2.0", "2.0.1", "v2.1.0rc1", "v2.1.0", "v2.10", "v3.0", "main-2"),
    *("latest", "8b", "2024.1"),
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("~=2.0", ("v2.10", "v2.1.0", "2.0.1", "v2.0")),
        (">=2,<2.5", ("v2.1.0", "2.0.1", "v2.0")),
        ("==2.1.*", ("v2.1.0",)),
        (">=2.1.0rc1,<2.2", ("v2.1.0", "v2.1.0rc1")),
        ("<1", ()),
    ],
)
def test_the_newest_tag_within_a_range_comes_first(
    wanted: str, found: tuple[str, ...]
) -> None:
    """By version, not by spelling: 2.10 is newer than 2.9; what is no version is none."""
    assert ranges.newest_first(TAGS, wanted) == found
    assert ranges.newest_first(reversed(TAGS), wanted) == found


def test_a_size_of_parameters_is_not_taken_for_a_version() -> None:
    """`8b` reads as a pre-release of version 8: a model's size must not become newest."""
    assert ranges.newest_first(["8b", "70b", "1.0"], ">=1") == ("1.0",)


@pytest.mark.parametrize(
    ("licence", "problem"),
    [
        ("apache-2.0", ""),
        ("Apache-2.0", ""),
        ("mit, apache-2.0", ""),
        ("", "`a/b` states no licence; `licences` allows apache-2.0, MIT"),
        (
            "other",
            "`a/b` is under `other`; `licences` allows apache-2.0, MIT",
        ),
        (
            "mit, other",
            "`a/b` is under `mit, other`; `licences` allows apache-2.0, MIT",
        ),
    ],
)
def test_a_licence_nobody_agreed_to_is_refused(licence: str, problem: str) -> None:
    """A change of licence upstream must stop at a person, never at the isolated side."""
    options = {"licences": ("apache-2.0", "MIT")}
    if not problem:
        ranges.check_licence(options, licence, "a/b")
        return
    with pytest.raises(RequestError) as caught:
        ranges.check_licence(options, licence, "a/b")
    assert str(caught.value) == problem


def test_without_a_list_any_licence_will_do() -> None:
    """Who states no licences has not asked for a check."""
    ranges.check_licence({}, "", "a/b")


def test_a_limit_is_held_to_the_byte() -> None:
    """A medium has no byte more than it has."""
    ranges.check_size({"max-size": "1KiB"}, 1024, "a/b")
    with pytest.raises(RequestError) as caught:
        ranges.check_size({"max-size": "1KiB"}, 1025, "a/b")
    assert str(caught.value) == "`a/b` has 1025 bytes, `max-size` allows 1KiB"


MANIFEST = """manifest = 1

[[model]]
repo = "a/b"

# the second
[[model]]
repo = "a/c"
licences = ["mit"]
version = "two"

[[gguf]]
repo = "a/d"
"""


def test_an_error_names_the_line() -> None:
    """A file of a hundred entries is not counted through by hand."""
    with pytest.raises(RequestError) as caught:
        manifest.decode(MANIFEST, name="m.toml")
    assert str(caught.value) == (
        "m.toml: `model[1].version` is `two`, expected a range such as `>=2,<3`"
    )
    assert caught.value.hint.startswith("see line 10 of m.toml; `~=2.0` is any 2.x")


def test_a_missing_key_is_shown_at_its_table() -> None:
    """The line of a key that is not there is that of the table it should be in."""
    text = MANIFEST.replace('version = "two"', "")
    with pytest.raises(RequestError) as caught:
        manifest.decode(text, name="m.toml")
    assert caught.value.hint == "see line 12 of m.toml"


@pytest.mark.parametrize(
    ("table", "index", "key", "line"),
    [
        ("model", 0, "repo", 4),
        ("model", 1, "repo", 8),
        ("model", 1, "none", 7),
        ("model", 0, "version", 3),
        ("gguf", 0, "", 12),
        ("model", 2, "repo", None),
        ("oci", 0, "", None),
    ],
)
def test_lines_are_counted_as_editors_do(
    table: str, index: int, key: str, line: int | None
) -> None:
    """A wrong line is worse than none: a key counts only inside its own table."""
    assert toml_lines.line_of(MANIFEST, table, index, key) == line
