"""What a policy says of a release, rule by rule."""

from typing import Any

import pytest

from airlift.artifact import ContentClass, Kind, Release, ReleaseFile
from airlift.digest import sha256
from airlift.trust.rules import objections, traits
from policies import made

ISSUED = "2026-03-01T12:00:00Z"
FILES = (("a.safetensors", 700, ContentClass.DATA), ("b.py", 300, ContentClass.CODE))


def _of(*files: tuple[str, int, ContentClass], licence: str = "mit") -> Release:
    listed = tuple(
        ReleaseFile(path=path, size=size, sha256=sha256(b""), content_class=content)
        for path, size, content in files
    )
    return Release(
        kind=Kind.MODEL,
        name="org/m",
        revision="0" * 40,
        counter=1,
        files=listed,
        licence=licence,
    )


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"classes": None}, ()),
        (
            {"classes": (ContentClass.DATA,)},
            ("content of class `code` is not allowed: b.py",),
        ),
        (
            {"classes": ()},
            (
                "content of class `code` is not allowed: b.py",
                "content of class `data` is not allowed: a.safetensors",
            ),
        ),
        ({"classes": None, "kinds": (Kind.MODEL,)}, ()),
        (
            {"classes": None, "kinds": (Kind.WHEELS,)},
            ("kind `model` is not allowed",),
        ),
        ({"classes": None, "licences": ("MIT",)}, ()),
        (
            {"classes": None, "licences": ("Apache-2.0",)},
            ("licence `mit` is not allowed",),
        ),
        ({"classes": None, "release_bytes": 1000}, ()),
        (
            {"classes": None, "release_bytes": 999},
            ("it has 1000 bytes, the limit is 999",),
        ),
        ({"classes": None, "file_bytes": 700}, ()),
        (
            {"classes": None, "file_bytes": 699},
            ("a file has 700 bytes, the limit is 699",),
        ),
    ],
)
def test_each_rule_objects_to_what_it_forbids(
    rules: dict[str, Any], expected: tuple[str, ...]
) -> None:
    """A limit is the last size allowed; a list allows what is in it and no more."""
    found = traits(_of(*FILES), issued=ISSUED, imported=ISSUED)
    assert objections(made(**rules), found) == expected


def test_a_release_without_a_licence_is_none_that_a_list_allows() -> None:
    """Nobody has said that it may be used."""
    found = traits(_of(*FILES, licence=""), issued=ISSUED, imported=ISSUED)
    told = made(classes=None, licences=("MIT",))
    assert objections(told, found) == ("no licence is stated",)


@pytest.mark.parametrize(
    ("imported", "expected"),
    [
        ("2026-03-08T12:00:00Z", ()),
        (
            "2026-03-08T12:00:01Z",
            ("its delivery was issued {}, more than 7 days before it was imported",),
        ),
    ],
)
def test_age_counts_to_the_second(imported: str, expected: tuple[str, ...]) -> None:
    """Seven days are seven days; a courier who waits a second longer is late."""
    found = traits(_of(*FILES), issued=ISSUED, imported=imported)
    said = tuple(one.format(ISSUED) for one in expected)
    assert objections(made(classes=None, age_days=7), found) == said
