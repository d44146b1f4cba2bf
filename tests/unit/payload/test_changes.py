"""Rules of a comparison, apart from where its two sides come from."""

from collections.abc import Mapping

import pytest

from airlift.artifact import ContentClass, Json, Kind, Release, ReleaseFile
from airlift.digest import sha256
from airlift.payload import changes, portrait, sides
from airlift.payload.changes import Extent
from airlift.payload.face import Face
from airlift.payload.portrait import Portrait, pairs
from airlift.payload.sides import FileChange, Risk


def release(
    files: Mapping[str, bytes],
    facts: Mapping[str, Mapping[str, Json]] | None = None,
    content_class: ContentClass = ContentClass.DATA,
) -> Release:
    """Return a release of *files*; its revision is made of them."""
    return Release(
        kind=Kind.MODEL,
        name="a/b",
        revision=sha256(repr(sorted(files.items())).encode()),
        counter=1,
        files=tuple(
            ReleaseFile(
                path=path,
                size=len(data),
                sha256=sha256(data),
                facts=(facts or {}).get(path, {}),
                content_class=content_class,
            )
            for path, data in sorted(files.items())
        ),
    )


def bare(*arguments: Mapping[str, bytes]) -> tuple[Portrait, ...]:
    """Return portraits of releases of these files, none of which was read."""
    return tuple(portrait.of(release(files), {}) for files in arguments)


def test_two_held_releases_compare_without_any_upstream() -> None:
    """The isolated side asks the same question of what it holds."""
    old, new = bare({"a.txt": b"1", "b.txt": b"2"}, {"a.txt": b"3", "c.txt": b"4"})
    found = changes.between(old, new)
    assert found.added == (FileChange(path="c.txt", after=1),)
    assert found.removed == (FileChange(path="b.txt", before=1),)
    assert found.changed == (FileChange(path="a.txt", before=1, after=1),)
    assert found.extent is Extent.DOCUMENTATION


def test_the_same_release_has_no_changes() -> None:
    """Else nothing would ever be unchanged."""
    (one,) = bare({"a.json": b"1", "m.safetensors": b"2"})
    assert changes.between(one, one).is_nothing


def test_a_file_that_moved_is_neither_new_nor_gone() -> None:
    """Its bytes need not travel, and nobody has to read them again."""
    old, new = bare({"a/m.txt": b"same"}, {"b/m.txt": b"same"})
    found = changes.between(old, new)
    assert found.moved == (
        FileChange(path="b/m.txt", before=4, after=4, was="a/m.txt"),
    )
    assert (found.added, found.removed) == ((), ())


def test_what_was_not_read_is_named() -> None:
    """A change nobody saw is not a change without consequences."""
    old, new = bare(
        {"m.safetensors": b"1", "config.json": b"1", "n.txt": b"1"},
        {"m.safetensors": b"2", "config.json": b"2", "n.txt": b"2"},
    )
    found = changes.between(old, new)
    assert found.unread == ("config.json", "m.safetensors")
    assert found.tensors == ()
    assert found.extent is Extent.WEIGHTS


def test_a_file_that_became_dangerous_under_its_name_is_a_risk() -> None:
    """The name stays, the content turns into a pickle: that is how it is done."""
    old, new = (
        portrait.of(release({"m.bin": data}, content_class=kind), {})
        for data, kind in ((b"1", ContentClass.DATA), (b"2", ContentClass.PICKLE))
    )
    risk = Risk(path="m.bin", content_class=ContentClass.PICKLE)
    assert changes.between(old, new).risks == (risk,)
    assert changes.between(new, old).risks == ()
    assert changes.between(None, new).risks == (risk,)


def test_templates_too_long_to_compare_are_still_shown_as_changed() -> None:
    """Comparing lines takes the product of both lengths: a template to hang on."""
    long = "x\n" * (sides.LINES + 1)
    faces = [
        Face(
            format="jinja",
            content_class=ContentClass.TEMPLATE,
            templates={"default": text},
        )
        for text in (long, long + "y")
    ]
    old, new = (
        portrait.of(release({"t.jinja": data}), {"t.jinja": one})
        for data, one in zip((b"1", b"2"), faces, strict=True)
    )
    (found,) = changes.between(old, new).templates
    assert (found.before, found.after, found.lines) == (long, long + "y", ())


def test_a_template_in_one_long_line_is_broken_at_its_tags() -> None:
    """Most are written so; one changed word must not show all of it twice."""
    parts = [f"{{% if a{n} %}}text{n}{{% endif %}}" for n in range(40)]
    texts = ["".join(parts), "".join(parts).replace("text7", "other")]
    old, new = (
        portrait.of(
            release({"t.jinja": text.encode()}),
            {
                "t.jinja": Face(
                    format="jinja",
                    content_class=ContentClass.TEMPLATE,
                    templates={"default": text},
                )
            },
        )
        for text in texts
    )
    (found,) = changes.between(old, new).templates
    assert [line for line in found.lines if line[0] in "+-"] == [
        "-text7{% endif %}",
        "+other{% endif %}",
    ]


def test_facts_of_a_file_that_stayed_are_compared() -> None:
    """A scan's verdict or a withdrawal changes no byte."""
    files = {"m.bin": b"1"}
    old, new = (
        portrait.of(release(files, {"m.bin": facts}), {})
        for facts in ({}, {"security": "unsafe"})
    )
    (fact,) = changes.between(old, new).facts
    assert (fact.path, fact.key, fact.before, fact.after) == (
        *("m.bin", "security", "", '"unsafe"'),
    )


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (["a.gguf"], ["a.gguf"], [("a.gguf", "a.gguf")]),
        (["a-Q8.gguf"], ["a-Q4.gguf"], [("a-Q8.gguf", "a-Q4.gguf")]),
        (
            ["a.gguf"],
            ["b.gguf", "c.gguf"],
            [("a.gguf", ""), ("", "b.gguf"), ("", "c.gguf")],
        ),
        (["a.json"], ["b.json"], [("a.json", ""), ("", "b.json")]),
        (["a.gguf"], ["a.safetensors"], [("a.gguf", ""), ("", "a.safetensors")]),
    ],
)
def test_only_one_model_for_one_is_taken_for_its_successor(
    old: list[str], new: list[str], found: list[tuple[str, str]]
) -> None:
    """Comparing things that never belonged together shows nonsense as news."""
    assert list(pairs(old, new)) == found
