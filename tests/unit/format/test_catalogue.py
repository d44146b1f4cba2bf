"""Catalogues: one form, numbers that stay, and hostile ones that are refused."""

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import catalogues
from airlift.artifact import Kind, Wish
from airlift.errors import FormatError
from airlift.format import canonical, catalogue, catalogue_file
from airlift.format.catalogue import Catalogue, Feed
from airlift.format.catalogue_entries import KnownFile, Standing
from airlift.format.catalogue_file import Parts


def changed(one: Catalogue, change: Callable[[Any], object]) -> bytes:
    """Return the document of *one* after *change* of its JSON, canonical still."""
    table = json.loads(catalogue.encode(one))
    change(table)
    return canonical.encode(table)


def problem(document: bytes) -> str:
    """Return what a reader says of *document*."""
    with pytest.raises(FormatError) as caught:
        catalogue.decode(document)
    return caught.value.problem


SMALL = catalogues.of(
    catalogues.item("org/a"),
    catalogues.item("org/b", standing=Standing.GATED),
    packages=(catalogues.package("demo"), catalogues.package("extra", "3.0")),
)


@pytest.mark.parametrize("one", [SMALL, catalogues.of(), catalogues.busy()])
def test_a_catalogue_reads_back_as_it_was_written(one: Catalogue) -> None:
    """What the connected side knew is what the isolated side is told, all of it."""
    document = catalogue.encode(one)
    assert catalogue.encode(catalogue.decode(document)) == document
    assert catalogue.decode(document).items == one.items
    assert catalogue.decode(document).packages == one.packages


def test_numbers_run_over_items_and_then_packages() -> None:
    """A request names entries by number alone; both sides must count alike."""
    found = catalogue.decode(catalogue.encode(SMALL))
    assert [one.name for one in found.entries] == ["org/a", "org/b", "demo", "extra"]
    assert [found.entry(n) for n in range(4)] == list(found.entries)


@pytest.mark.parametrize("number", [-1, 4, 2**16])
def test_a_number_beyond_the_entries_names_nothing(number: int) -> None:
    """Python would count -1 from the end and deliver something nobody asked for."""
    with pytest.raises(FormatError) as caught:
        SMALL.entry(number)
    assert caught.value.problem == f"catalogue 1 has no entry {number}, it has 4"


def test_an_item_says_how_a_source_is_asked_for_it() -> None:
    """A request for an entry becomes an export of exactly that."""
    expected = Wish(kind=Kind.MODEL, name="org/a", options={"revision": "main"})
    assert SMALL.items[0].wish == expected
    assert SMALL.items[0].size == 5_700


def test_the_weekly_file_of_a_busy_site_has_less_than_200_kb() -> None:
    """It must fit a small medium and be carried every week without a thought."""
    document = catalogue.encode(catalogues.busy())
    packed = catalogue_file.compress(document)
    assert (len(catalogues.busy().items), len(catalogues.busy().packages)) == (25, 200)
    assert sum(len(one.files) for one in catalogues.busy().items) > 400
    assert len(packed) < 190_000  # the role and its signatures are below 10 kB


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda t: t.update(extra=1),
            (
                "catalogue: `extra` is not known here; known are `format`, `sequence`,"
                " `previous`, `issued`, `next_expected`, `valid_until`, `items`,"
                " `packages`, `feed`, `advisories`"
            ),
        ),
        (lambda t: t.pop("feed"), "catalogue: `feed` is missing"),
        (
            lambda t: t.update(format="airlift/catalogue/2"),
            (
                "catalogue: `format` is `airlift/catalogue/2`, expected"
                " `airlift/catalogue/1`"
            ),
        ),
        (
            lambda t: t.update(sequence=2),
            "catalogue: `previous` does not go with sequence 2",
        ),
        (
            lambda t: t.update(next_expected=t["issued"]),
            "catalogue: `next_expected` is not after `issued` and at most `valid_until`",
        ),
        (
            lambda t: t.update(issued="2025-12-01T00:00:00Z"),
            "catalogue: `issued` is before what `org/a` is known as of",
        ),
        (
            lambda t: t.update(issued="yesterday"),
            (
                "catalogue: `issued` is `yesterday`, expected a time like"
                " `2026-01-31T23:59:59Z`"
            ),
        ),
        (
            lambda t: t["items"].reverse(),
            "catalogue: `items` are not in order, each once",
        ),
        (
            lambda t: t["items"].append(t["items"][-1]),
            "catalogue: `items` are not in order, each once",
        ),
        (
            lambda t: t["packages"].append(t["packages"][-1]),
            "catalogue: `packages` are not in order, each once",
        ),
        (
            lambda t: t["items"][1].update(name="../b"),
            "catalogue: `items[1].name` has an empty, `.` or `..` part: `../b`",
        ),
        (
            lambda t: t["items"][1].update(kind="virus"),
            "catalogue: `items[1].kind` has the unknown value `virus`",
        ),
        (
            lambda t: t["items"][0].update(surprise=True),
            (
                "catalogue: `items[0].surprise` is not known here; known are `kind`,"
                " `name`, `asked`, `options`, `source`, `as_of`, `problem`, `standing`,"
                " `reason`, `moved_to`, `revision`, `modified`, `refs`, `licence`,"
                " `base_models`, `facts`, `files`, `earlier`"
            ),
        ),
        (
            lambda t: t["items"][0]["files"].reverse(),
            "catalogue: `items[0].files` are not sorted by path, each once",
        ),
        (
            lambda t: t["items"][0]["files"][0].update(size=-1),
            "catalogue: `items[0].files[0].size` is -1, expected at least 0",
        ),
        (
            lambda t: t["items"][0].update(as_of=""),
            "catalogue: `items[0].standing` does not go with `as_of`",
        ),
        (
            lambda t: t["items"][0].update(as_of="", standing="unknown"),
            "catalogue: `items[0].problem` is empty, though the source never answered",
        ),
        (
            lambda t: t["packages"][0].update(newest="9"),
            "catalogue: `packages[0].newest` is not among the versions",
        ),
        (
            lambda t: t["packages"][0]["versions"].append(
                t["packages"][0]["versions"][0]
            ),
            "catalogue: `packages[0].versions` have one twice",
        ),
    ],
)
def test_another_form_is_refused_with_its_place(
    change: Callable[[Any], object], expected: str
) -> None:
    """Half of a catalogue believed is worse than none: it hides what it lacks."""
    assert problem(changed(SMALL, change)) == expected


def test_a_document_beyond_the_limit_is_refused_unread() -> None:
    """A limit that is checked after parsing is none."""
    assert problem(b" " * (catalogue.LIMIT + 1)) == (
        f"catalogue has {catalogue.LIMIT + 1} bytes, the limit is {catalogue.LIMIT}"
    )


def test_more_entries_than_a_request_can_number_are_refused() -> None:
    """Two sides that number entries differently would ask for the wrong thing."""
    package = catalogues.package()
    many = tuple(
        replace(package, name=f"p{n:05}", newest="", versions=())
        for n in range(catalogue.ENTRIES + 1)
    )
    assert problem(catalogue.encode(catalogues.of(packages=many))) == (
        f"catalogue: `items` and `packages` have more than {catalogue.ENTRIES} entries"
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    TEXTS,
    st.none() | st.integers(0, 2**53 - 1),
    st.dictionaries(TEXTS, TEXTS | st.booleans(), max_size=3),
    st.sets(TEXTS, max_size=4),
)
def test_any_words_of_upstream_survive(
    reason: str, size: int | None, facts: dict[str, str | bool], paths: set[str]
) -> None:
    """Upstream writes what it likes; it must arrive as it was, and harm nothing."""
    files = tuple(KnownFile(path=path, size=size) for path in sorted(paths))
    one = catalogues.of(
        catalogues.item(reason=reason, facts=facts, files=files),
        feed=Feed(problem=reason),
    )
    found = catalogue.decode(catalogue.encode(one))
    assert (found.items, found.feed) == (one.items, one.feed)


# --- the file -------------------------------------------------------------------


def test_a_file_is_role_and_document() -> None:
    """A reader must find the signatures without unpacking anything."""
    parts = Parts(role=b"{}", document=b"frame")
    data = catalogue_file.join(parts)
    assert data == b"airlift/catalogue-file/1\n\0\0\0\2{}frame"
    assert catalogue_file.split(data, name="it") == parts


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "it is not a catalogue"),
        (b"PK\3\4", "it is not a catalogue"),
        (catalogue_file.MAGIC, "it ends early"),
        (catalogue_file.MAGIC + b"\0\0\0\2{}", "it ends early"),
        (
            catalogue_file.MAGIC + struct.pack(">I", 65_537),
            "it: its role has 65537 bytes, the limit is 65536",
        ),
        (
            catalogue_file.MAGIC + bytes(catalogue_file.LIMIT),
            "it has 8388633 bytes, the limit is 8388608",
        ),
    ],
)
def test_a_file_that_is_cut_or_too_long_is_refused(data: bytes, expected: str) -> None:
    """What an operator has in hand is often another file, or half of one."""
    with pytest.raises(FormatError) as caught:
        catalogue_file.split(data, name="it")
    assert caught.value.problem == expected


def test_a_bomb_is_refused_by_what_it_says() -> None:
    """A megabyte that unpacks to gigabytes stops an import host."""
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(catalogue.LIMIT + 1))
    with pytest.raises(FormatError) as caught:
        catalogue_file.decompress(bomb, name="it")
    assert caught.value.problem == (
        f"it says it unpacks to {catalogue.LIMIT + 1} bytes, the limit is"
        f" {catalogue.LIMIT}"
    )


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    """The stated size is the only memory that is ever taken for it."""
    honest = zstandard.ZstdCompressor(level=1).compress(bytes(1 << 24))
    at = honest.index(struct.pack("<I", 1 << 24))
    bomb = bytearray(honest)
    bomb[at : at + 4] = struct.pack("<I", 1 << 17)
    assert zstandard.get_frame_parameters(bytes(bomb)).content_size == 1 << 17
    with pytest.raises(FormatError, match="it does not unpack: "):
        catalogue_file.decompress(bytes(bomb), name="it")


def test_a_frame_without_a_size_is_refused() -> None:
    """Its memory could not be known beforehand."""
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    frame = stream.compress(b"{}") + stream.flush()
    with pytest.raises(FormatError, match="it says it unpacks to "):
        catalogue_file.decompress(frame, name="it")


@pytest.mark.parametrize("end", [b"\0", catalogue_file.compress(b"{}")])
def test_nothing_may_stand_behind_the_document(end: bytes) -> None:
    """What no digest of the document covers would be a place to hide things."""
    with pytest.raises(FormatError):
        catalogue_file.decompress(catalogue_file.compress(b"{}") + end, name="it")


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    """Whatever lies on a stick ends in a refusal, or in what was meant."""
    for begin in (b"", catalogue_file.MAGIC, b"\x28\xb5\x2f\xfd"):
        for read in (catalogue_file.split, catalogue_file.decompress):
            with suppress(FormatError):
                assert read(begin + data, name="it")
