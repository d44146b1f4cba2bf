"""Locks: what goes in comes out, the same in the same bytes, and slips are named."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from airlift import naming
from airlift.artifact import Json, Kind, Pinned, PinnedFile
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format import lock

SCHEMA = Draft202012Validator(
    json.loads(
        (Path(__file__).parents[3] / "manifests/schemas/lock.schema.json").read_text()
    )
)
MANIFEST = Sha256("ab" * 32)

EXAMPLE = Pinned(
    kind=Kind.MODEL,
    name="acme/tiny",
    revision="0123456789" * 4,
    files=(
        PinnedFile(path="a.json", size=2, git_oid="cd" * 20),
        PinnedFile(
            path="b.safetensors",
            size=None,
            sha256=Sha256("ef" * 32),
            location="https://hub.example/b",
            facts={"yanked": False, "tags": ["x"], "n": {"deep": None}},
        ),
    ),
    refs=("main",),
    upstream={"endpoint": "https://hub.example"},
    licence="mit",
    base_models=("acme/base",),
)
TEXT = """\
{
 "artifacts": [
  {
   "base_models": [
    "acme/base"
   ],
   "files": [
    {
     "git_oid": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
     "path": "a.json",
     "size": 2
    },
    {
     "facts": {
      "n": {
       "deep": null
      },
      "tags": [
       "x"
      ],
      "yanked": false
     },
     "location": "https://hub.example/b",
     "path": "b.safetensors",
     "sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef",
     "size": null
    }
   ],
   "kind": "model",
   "licence": "mit",
   "name": "acme/tiny",
   "refs": [
    "main"
   ],
   "revision": "0123456789012345678901234567890123456789",
   "upstream": {
    "endpoint": "https://hub.example"
   }
  }
 ],
 "format": "airlift/lock/1",
 "manifest_sha256": "abababababababababababababababababababababababababababababababab"
}
"""


def test_a_lock_is_one_key_a_line_and_sorted() -> None:
    """A reviewer reads locks as differences: their bytes are part of the contract."""
    assert lock.encode([EXAMPLE], manifest_sha256=MANIFEST) == TEXT


def test_the_schema_is_itself_valid_and_accepts_a_lock() -> None:
    """Other tools check locks by the schema; it must not refuse what we write."""
    Draft202012Validator.check_schema(SCHEMA.schema)
    assert SCHEMA.is_valid(json.loads(TEXT))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=6,
)
FACTS = st.dictionaries(TEXTS, VALUES, max_size=3)


def hexadecimal(*lengths: int) -> st.SearchStrategy[str]:
    """Return hexadecimal digits of one of *lengths*."""
    return st.sampled_from(lengths).flatmap(
        lambda n: st.text("0123456789abcdef", min_size=n, max_size=n)
    )


PATHS = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "C"]), min_size=1, max_size=12),
    max_size=4,
).filter(
    lambda paths: (
        not any(map(naming.path_problem, paths)) and naming.collision(paths) is None
    )
)


@st.composite
def artifacts(draw: st.DrawFn) -> Pinned:
    """Draw any artifact a source may pin."""
    files = tuple(
        PinnedFile(
            path=path,
            size=draw(st.none() | st.integers(0, 2**50)),
            sha256=draw(st.none() | hexadecimal(64).map(Sha256)),
            git_oid=draw(st.none() | hexadecimal(40)),
            location=draw(TEXTS),
            facts=draw(FACTS),
        )
        for path in sorted(draw(PATHS))
    )
    return Pinned(
        kind=draw(st.sampled_from(Kind)),
        name="acme/tiny",
        revision=draw(hexadecimal(40, 64)),
        files=files,
        refs=tuple(draw(st.lists(TEXTS, max_size=2))),
        upstream=draw(FACTS),
        licence=draw(TEXTS),
        base_models=tuple(draw(st.lists(TEXTS, max_size=2))),
    )


@settings(deadline=None)  # a shared machine is slow at times
@given(st.lists(artifacts(), max_size=3))
def test_what_is_locked_is_what_is_exported(pinned: list[Pinned]) -> None:
    """An export from a lock must carry exactly what was reviewed."""
    text = lock.encode(pinned, manifest_sha256=MANIFEST)
    again = lock.decode(text, name="l")
    assert again == lock.Lock(pinned=tuple(pinned), manifest_sha256=MANIFEST)
    assert lock.encode(again.pinned, manifest_sha256=MANIFEST) == text
    assert SCHEMA.is_valid(json.loads(text))


def test_a_fact_that_no_record_can_hold_is_found_when_locking() -> None:
    """Better here than after a night of downloading."""
    odd: Any = {"score": 0.5}
    one = Pinned(kind=Kind.MODEL, name="a", revision="0" * 40, files=(), upstream=odd)
    with pytest.raises(ValueError, match="a record cannot hold float"):
        lock.encode([one], manifest_sha256=MANIFEST)


REFUSED = {
    "cut short": (TEXT[:-3], "l is not a lock: "),
    "a key twice after a merge": (
        TEXT.replace('"size": 2', '"size": 2, "size": 3'),
        "l is not a lock: an object has a key twice",
    ),
    "a float": (
        TEXT.replace('"size": 2', '"size": 2.0'),
        "l is not a lock: a record cannot hold float",
    ),
    "another format": (
        TEXT.replace("lock/1", "lock/2"),
        "l: `format` is `airlift/lock/2`, expected `airlift/lock/1`",
    ),
    "an unknown key": (
        TEXT.replace('"licence"', '"license"'),
        (
            "l: `artifacts[0].license` is not known here; known are `kind`, `name`, "
            "`revision`, `refs`, `upstream`, `licence`, `base_models`, `files`"
        ),
    ),
    "an unknown kind": (
        TEXT.replace('"model"', '"container"'),
        "l: `artifacts[0].kind` has the unknown value `container`",
    ),
    "a branch for a revision": (
        TEXT.replace("0123456789" * 4, "main"),
        "l: `artifacts[0].revision` is not 40 or 64 lower-case hexadecimal digits",
    ),
    "a short digest": (
        TEXT.replace("ef" * 32, "ef" * 31),
        "l: `artifacts[0].files[1].sha256` is not 64 lower-case hexadecimal digits",
    ),
    "a git id in capitals": (
        TEXT.replace("cd" * 20, "CD" * 20),
        "l: `artifacts[0].files[0].git_oid` is not 40 lower-case hexadecimal digits",
    ),
    "a path that climbs": (
        TEXT.replace("a.json", "../a.json"),
        "l: `artifacts[0].files[0].path` has an empty, `.` or `..` part: `../a.json`",
    ),
    "files out of order": (
        TEXT.replace("a.json", "c.json"),
        "l: `artifacts[0].files` are not sorted by path, each once",
    ),
    "paths that collide": (
        TEXT.replace("a.json", "B.safetensors"),
        (
            "l: `artifacts[0].files` some file systems cannot hold both "
            "`B.safetensors` and `b.safetensors`"
        ),
    ),
    "no size": (
        TEXT.replace('"size": 2', '"facts": {}'),
        "l: `artifacts[0].files[0].size` is missing",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_slip_in_a_lock_is_named(case: str) -> None:
    """Locks are merged by hand; a slip must not change what is carried."""
    text, message = REFUSED[case]
    assert text != TEXT
    with pytest.raises(RequestError) as caught:
        lock.decode(text, name="l")
    assert str(caught.value).startswith(message)


SCHEMA_TOO = (
    *("another format", "an unknown key", "an unknown kind", "a short digest"),
    *("a branch for a revision", "a git id in capitals", "no size"),
)


@pytest.mark.parametrize("case", SCHEMA_TOO)
def test_the_schema_refuses_it_too(case: str) -> None:
    """Schema and parser may not drift apart.

    Only the parser refuses duplicate keys, ``2.0`` (an integer to JSON Schema), and
    what concerns several paths at once.
    """
    assert not SCHEMA.is_valid(json.loads(REFUSED[case][0]))
