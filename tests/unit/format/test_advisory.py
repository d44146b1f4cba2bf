"""Advisories in OSV's form: what is kept says the same of every version."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from airlift.artifact import Json
from airlift.errors import FormatError
from airlift.format import advisory
from airlift.format.advisory import Reach


def record(
    *events: dict[str, str], versions: tuple[str, ...] = (), name: str = "demo"
) -> dict[str, Any]:
    """Return a record about *name* as OSV publishes it."""
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    return {
        "id": "GHSA-1",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": name},
                "ranges": ranges,
                "versions": list(versions),
            }
        ],
    }


def affected(told: dict[str, Any], *versions: str) -> list[str]:
    """Return those of *versions* that *told* is about, once it is reduced."""
    found = advisory.reduced(told, {"demo"}, name="it")
    assert found is not None
    return [one for one in versions if advisory.affects(found, "demo", one)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([{"introduced": "0"}], ["0.9", "1.0", "1.5", "2.0"]),
        ([{"introduced": "0"}, {"fixed": "1.5"}], ["0.9", "1.0"]),
        ([{"introduced": "1.0"}, {"fixed": "2.0"}], ["1.0", "1.5"]),
        ([{"introduced": "1.0"}, {"last_affected": "1.5"}], ["1.0", "1.5"]),
        ([{"fixed": "1.5"}, {"introduced": "1.0"}], ["1.0"]),
        (
            [
                {"introduced": "0"},
                {"fixed": "1.0"},
                {"introduced": "1.5"},
                {"fixed": "2.0"},
            ],
            ["0.9", "1.5"],
        ),
        ([{"introduced": "not a version"}], []),
        ([], []),
    ],
)
def test_a_range_is_about_what_lies_in_it(
    events: list[dict[str, str]], expected: list[str]
) -> None:
    """Fixed is the first that is well, last affected the last that is not."""
    assert affected(record(*events), "0.9", "1.0", "1.5", "2.0") == expected


def kept(told: dict[str, Any]) -> Mapping[str, Json]:
    """Return *told* reduced."""
    found = advisory.reduced(told, {"demo"}, name="it")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("told", "version"),
    [
        (record({"introduced": "0"}, {"fixed": "not a version"}), "1.0"),
        (record({"introduced": "0"}, {"fixed": "1.5"}), "build-7"),
        (record(versions=("1.0",)), "build-7"),
        (record(), "1.0"),
    ],
)
def test_what_cannot_be_told_is_undecided(told: dict[str, Any], version: str) -> None:
    """A bound or version without a place in the order must not read as "not affected"."""
    assert advisory.reach(kept(told), "demo", version) is Reach.UNDECIDED
    assert not advisory.affects(kept(told), "demo", version)


def test_what_is_listed_needs_no_order() -> None:
    """An odd version that is named is affected, whatever it would be sorted by."""
    told = record({"introduced": "0"}, {"fixed": "odd"}, versions=("build-7", "1.0"))
    found = [advisory.reach(kept(told), "demo", one) for one in ("build-7", "1.0", "2")]
    assert found == [Reach.AFFECTED, Reach.AFFECTED, Reach.UNDECIDED]


@pytest.mark.parametrize(
    "told",
    [
        record({"introduced": "0"}, {"last_affected": "2.1.0"}),
        record(versions=("2.1.0",)),
        record({"introduced": "2.1.0"}, {"fixed": "2.1.1"}),
    ],
)
def test_a_rebuilt_release_has_its_faults(told: dict[str, Any]) -> None:
    """Wheels for graphics cards are called 2.1.0+cu121; advisories know 2.1.0 alone."""
    assert affected(told, "2.1.0", "2.1.0+cu121", "2.2.0+cu121") == [
        *("2.1.0", "2.1.0+cu121"),
    ]


def test_a_publishers_rating_is_kept() -> None:
    """GitHub rates records that have no vector; anything else it adds stays behind."""
    told = record() | {"database_specific": {"severity": "moderate", "cwe_ids": ["x"]}}
    assert kept(told)["database_specific"] == {"severity": "MODERATE"}
    for odd in ({"severity": "dire"}, {"severity": 7}, "text", None):
        assert "database_specific" not in kept(record() | {"database_specific": odd})


def test_listed_versions_count_beside_ranges() -> None:
    """And in any spelling of the same version."""
    told = record({"introduced": "0"}, {"fixed": "1.0"}, versions=("0.5", "3.0"))
    assert affected(told, "0.5", "1.0", "3.0", "3.0.0", "3.1", "odd one") == [
        *("0.5", "3.0", "3.0.0"),
    ]
    assert kept(told)["affected"] == [
        {
            "package": "demo",
            "ranges": [{"events": [{"introduced": "0"}, {"fixed": "1.0"}]}],
            "versions": ("3.0",),
        }
    ]


NUMBERS = st.integers(0, 6).map(str)


@given(
    st.lists(
        st.tuples(st.sampled_from(["introduced", "fixed", "last_affected"]), NUMBERS),
        max_size=4,
    ),
    st.sets(NUMBERS, max_size=5),
)
def test_reducing_changes_no_judgement(
    events: list[tuple[str, str]], versions: set[str]
) -> None:
    """What is left out to save room must be said by what is kept."""
    told = record(*({kind: at} for kind, at in events), versions=tuple(versions))
    whole: dict[str, Any] = {
        "affected": [
            {
                "package": "demo",
                "ranges": told["affected"][0]["ranges"],
                "versions": sorted(versions),
            }
        ]
    }
    for number in range(7):
        expected = advisory.reach(whole, "demo", str(number))
        assert advisory.reach(kept(told), "demo", str(number)) is expected


def test_the_lowest_fixed_version_above_is_named() -> None:
    """An operator on 1.2 wants 1.3, not 2.4."""
    events = [
        {"introduced": "0"},
        *({"fixed": "1.3"}, {"introduced": "2.0"}, {"fixed": "2.4"}),
    ]
    told = kept(record(*events))
    found = [advisory.fixed_in(told, "demo", one) for one in ("1.2", "2.1", "3.0")]
    assert found == ["1.3", "2.4", ""]
    assert advisory.fixes(told, "demo", "1.2") == ("1.3", "2.4")
    assert advisory.fixes(told, "demo", "build-7") == ()
    assert Version(found[0]) > Version("1.2")


def test_other_ecosystems_and_packages_are_left_out() -> None:
    """A package of the same name elsewhere is another package."""
    other = record({"introduced": "0"}, name="another")
    assert advisory.reduced(other, {"demo"}, name="it") is None
    npm = record({"introduced": "0"})
    npm["affected"][0]["package"]["ecosystem"] = "npm"
    assert advisory.reduced(npm, {"demo"}, name="it") is None
    assert advisory.reduced({"id": "x"}, {"demo"}, name="it") is None
    git = {"id": "x", "affected": [{"ranges": [{"type": "GIT"}]}]}
    assert advisory.reduced(git, {"demo"}, name="it") is None


def test_names_are_compared_in_their_normal_form() -> None:
    """``De.Mo_x`` and ``de-mo-x`` are one project."""
    assert advisory.reduced(record(name="De.Mo_x"), {"de-mo-x"}, name="it") is not None


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"affected": 7}, "it: `affected` is integer, expected array"),
        (
            {"affected": [{"package": {"ecosystem": "PyPI"}}]},
            "it: `affected[0].package.name` is missing",
        ),
        (
            record() | {"summary": ["x"]},
            "it: `summary` is array, expected string",
        ),
    ],
)
def test_what_is_not_in_the_form_is_named(told: dict[str, Any], problem: str) -> None:
    """A record half read could lose the half that matters."""
    with pytest.raises(FormatError) as caught:
        advisory.reduced(told, {"demo"}, name="it")
    assert caught.value.problem == problem


def test_what_a_terminal_must_not_see_is_escaped() -> None:
    """Anybody can write an advisory."""
    assert kept(record() | {"summary": "a\x1b[2Jb"})["summary"] == "a\\x1b[2Jb"
    with pytest.raises(FormatError, match="it has no id"):
        advisory.identity({"id": "a\x1bb"}, name="it")
