"""Dispatch records, packing lists, release documents: one form, and clear refusals."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.artifact import ContentClass, Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError
from airlift.format import canonical, dispatch, packing, release
from airlift.format.answer import Answer, AnswerLine, Outcome
from airlift.format.dispatch import HISTORY, Dispatch, Earlier, Need
from airlift.format.fields import Fields
from airlift.format.packing import (
    HEAD_LIMIT,
    SLAB,
    STORED_LIMIT,
    Head,
    PackedBlob,
    PackingList,
    Part,
)

DIGESTS = st.binary(min_size=1, max_size=8).map(sha256)
SORTED = st.sets(DIGESTS, max_size=5).map(sorted).map(tuple)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FACTS = st.dictionaries(
    TEXTS, st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS
)
PATHS = st.lists(
    st.from_regex(r"[a-z][a-z0-9_]{0,8}(\.[a-z]{1,4})?", fullmatch=True),
    min_size=1,
    max_size=4,
).map(lambda parts: "x/" * 3 + "/".join(f"{part}_" for part in parts))
NUMBERS = st.integers(1, 2**53 - 1)


@st.composite
def needs(draw: st.DrawFn, sequence: int) -> tuple[Need, ...]:
    """Return any blobs that deliveries before *sequence* brought."""
    if sequence == 1:
        return ()
    return tuple(
        Need(sha256=one, sequence=draw(st.integers(1, sequence - 1)))
        for one in draw(SORTED)[:8]
    )


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Return any answer to a request."""
    outcomes = draw(st.lists(st.sampled_from(Outcome), max_size=4))
    return Answer(
        number=draw(st.integers(1, 99)),
        id=draw(DIGESTS),
        lines=tuple(
            AnswerLine(outcome=one, why="policy P-7")
            if one is Outcome.REFUSED
            else AnswerLine(outcome=one, release=draw(DIGESTS))
            for one in outcomes
        ),
    )


@st.composite
def dispatches(draw: st.DrawFn) -> Dispatch:
    """Return any dispatch record."""
    sequence = draw(st.integers(1, 200))
    count = min(HISTORY, sequence - 1)
    return Dispatch(
        site=draw(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)),
        sequence=sequence,
        earlier=tuple(
            Earlier(sequence=sequence - back, sha256=draw(DIGESTS))
            for back in range(1, count + 1)
        ),
        issued=draw(st.datetimes()).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0"),
        operator=draw(TEXTS),
        releases=draw(SORTED),
        needs=draw(needs(sequence)),
        packing_sha256=draw(DIGESTS),
        packing_size=draw(NUMBERS),
        answer=draw(st.none() | answers()),
    )


@st.composite
def parts(draw: st.DrawFn) -> Part:
    """Return any part, with a head or of one raw slab."""
    raw = draw(st.integers(1, SLAB))
    head = Head(sha256=draw(DIGESTS), size=draw(st.integers(1, HEAD_LIMIT)))
    if draw(st.booleans()):
        return Part(sha256=draw(DIGESTS), size=raw, raw=raw)
    size = draw(st.integers(0, STORED_LIMIT))
    return Part(sha256=draw(DIGESTS), size=size, raw=raw, head=head)


@st.composite
def packings(draw: st.DrawFn) -> PackingList:
    """Return any packing list."""
    blobs = []
    for name in draw(st.sets(DIGESTS, max_size=4)):
        several = tuple(draw(st.lists(parts(), max_size=3)))
        size = sum(part.raw for part in several)
        blobs.append(PackedBlob(sha256=name, size=size, parts=several))
    return PackingList(blobs=tuple(blobs))


FILES = st.builds(
    ReleaseFile,
    path=PATHS,
    size=st.integers(0, 2**53 - 1),
    sha256=DIGESTS,
    git_oid=st.none() | st.text("0123456789abcdef", min_size=40, max_size=40),
    format=TEXTS,
    content_class=st.sampled_from(ContentClass),
    facts=FACTS,
)
RELEASES = st.builds(
    Release,
    kind=st.sampled_from(Kind),
    name=st.just("acme/model"),
    revision=TEXTS,
    counter=NUMBERS,
    files=st.lists(FILES, max_size=4, unique_by=lambda file: file.path.split("/")[3])
    .map(lambda files: sorted(files, key=lambda file: file.path))
    .map(tuple),
    refs=st.lists(TEXTS, max_size=3).map(tuple),
    upstream=FACTS,
    licence=TEXTS,
    base_models=st.lists(TEXTS, max_size=3).map(tuple),
)


@given(dispatches())
def test_a_dispatch_record_reads_back(record: Dispatch) -> None:
    """What was signed is what is read, and it has one spelling."""
    data = dispatch.encode(record)
    assert dispatch.decode(data) == record
    assert dispatch.encode(dispatch.decode(data)) == data


@given(packings())
def test_a_packing_list_reads_back(listing: PackingList) -> None:
    """The order of blobs is the order in which they travel."""
    data = packing.encode(listing)
    assert packing.decode(data) == listing
    assert listing.raw_size == sum(part.raw for _, part in listing.parts())


@given(RELEASES)
def test_a_release_document_reads_back(document: Release) -> None:
    """Facts and names come through in every script, to the letter."""
    data = release.encode(document)
    assert release.decode(data) == document
    assert release.identify(data) == sha256(data)


A, B, C = (Sha256(letter * 64) for letter in "abc")
DISPATCH = json.loads(
    dispatch.encode(
        Dispatch(
            site="plant7",
            sequence=2,
            earlier=(Earlier(sequence=1, sha256=A),),
            issued="2026-11-23T12:00:00Z",
            operator="alice",
            releases=(A, B),
            needs=(),
            packing_sha256=C,
            packing_size=9,
        )
    )
)
PACKING = json.loads(
    packing.encode(
        PackingList(
            blobs=(
                PackedBlob(
                    sha256=A,
                    size=9,
                    parts=(
                        Part(sha256=B, size=4, raw=4),
                        Part(sha256=C, size=7, raw=5, head=Head(sha256=A, size=64)),
                    ),
                ),
            )
        )
    )
)
RELEASE = json.loads(
    release.encode(
        Release(
            kind=Kind.MODEL,
            name="acme/m",
            revision="0" * 40,
            counter=1,
            files=(
                ReleaseFile(path="a", size=1, sha256=A),
                ReleaseFile(path="b", size=1, sha256=B),
            ),
        )
    )
)


class _Gone:
    """Its name is part of the names of tests, and must not change from run to run."""

    def __repr__(self) -> str:
        return "gone"


GONE = _Gone()


def edited(record: Any, where: str, value: object) -> bytes:
    """Return *record* with another value at *where*, a dotted path; GONE removes it."""
    changed = json.loads(json.dumps(record))
    place = changed
    *way, last = where.split(".")
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    key: Any = int(last) if isinstance(place, list) else last
    if value is GONE:
        del place[key]
    else:
        place[key] = value
    return canonical.encode(changed)


def problem_of(decode: Callable[[bytes], object], data: bytes) -> str:
    """Return what *decode* says of *data*."""
    with pytest.raises(FormatError) as caught:
        decode(data)
    return caught.value.problem


def answered(where: str, value: object) -> Any:
    """Return the answer of a record, with another value at *where*."""
    lines = [
        {"outcome": "sent", "release": A, "why": ""},
        {"outcome": "refused", "release": None, "why": "policy P-7"},
    ]
    return json.loads(edited({"number": 1, "id": A, "lines": lines}, where, value))


KNOWN_DISPATCH = (
    "`format`, `site`, `sequence`, `earlier`, `issued`, `operator`,"
    " `releases`, `needs`, `packing`"
)


@pytest.mark.parametrize(
    ("where", "value", "problem"),
    [
        ("format", "airlift/dispatch/2", "`format` is `airlift/dispatch/2`, expected `airlift/dispatch/1`"),
        ("x", 1, f"`x` is not known here; known are {KNOWN_DISPATCH}"),
        ("site", GONE, "`site` is missing"),
        ("site", "Plant7", "`site` is not a site name: `Plant7`"),
        ("sequence", "2", "`sequence` is string, expected integer"),
        ("sequence", True, "`sequence` is boolean, expected integer"),
        ("sequence", 0, "`sequence` is 0, expected at least 1"),
        ("sequence", 3, "`earlier` is not the 2 deliveries before this one"),
        ("earlier", [], "`earlier` is not the 1 deliveries before this one"),
        ("earlier.0.sequence", 2, "`earlier` is not the 1 deliveries before this one"),
        ("earlier.0.sha256", "A" * 64, "`earlier[0].sha256` is not 64 lower-case hexadecimal digits"),
        ("issued", "2026-11-23 12:00:00Z", "`issued` is not `YYYY-MM-DDThh:mm:ssZ`"),
        ("releases", [B, A], "`releases` is not a sorted array of SHA-256 digests, each once"),
        ("needs", [A], "`needs[0]` is string, expected object"),
        ("needs", [{"sha256": A, "sequence": 1}] * 2, "`needs` is not sorted by `sha256`, each once"),
        ("needs", [{"sha256": B, "sequence": 1}, {"sha256": A, "sequence": 1}], "`needs` is not sorted by `sha256`, each once"),
        ("needs", [{"sha256": A, "sequence": 2}], "`needs` names a delivery that is not before 2"),
        ("needs", [{"sha256": A, "sequence": 0}], "`needs[0].sequence` is 0, expected at least 1"),
        ("needs", [{"sha256": A}], "`needs[0].sequence` is missing"),
        ("packing", None, "`packing` is null, expected object"),
        ("packing.size", -1, "`packing.size` is -1, expected at least 0"),
        ("packing.x", 1, "`packing.x` is not known here; known are `sha256`, `size`"),
        ("answer", None, f"`answer` is not known here; known are {KNOWN_DISPATCH}"),
        ("answer", 7, "`answer` is integer, expected object"),
        ("answer", {"number": 1, "id": A}, "`answer.lines` is missing"),
        ("answer", answered("number", 0), "`answer.number` is 0, expected at least 1"),
        ("answer", answered("lines.0.outcome", "lost"), "`answer.lines[0].outcome` has the unknown value `lost`"),
        ("answer", answered("lines.0.release", None), "`answer.lines[0].release` does not go with the outcome `sent`"),
        ("answer", answered("lines.0.why", "no"), "`answer.lines[0].why` is not for this"),
        ("answer", answered("lines.1.release", A), "`answer.lines[1].release` does not go with the outcome `refused`"),
        ("answer", answered("lines.1.why", ""), "`answer.lines[1].why` is empty or has more than 200 characters"),
        ("answer", answered("lines.1.why", "a\nb"), "`answer.lines[1].why` has characters that cannot be shown on one line"),
        ("answer", answered("lines.1.x", 1), "`answer.lines[1].x` is not known here; known are `outcome`, `release`, `why`"),
    ],
)  # fmt: skip
def test_a_dispatch_record_is_refused_with_the_place(
    where: str, value: object, problem: str
) -> None:
    """Whoever reads the message may have only a telephone to pass it on by."""
    found = problem_of(dispatch.decode, edited(DISPATCH, where, value))
    assert found == f"dispatch record: {problem}"


@pytest.mark.parametrize(
    ("where", "value", "problem"),
    [
        ("format", "airlift/packing/9", "`format` is `airlift/packing/9`, expected `airlift/packing/1`"),
        ("x", 1, "`x` is not known here; known are `format`, `blobs`"),
        ("blobs", [PACKING["blobs"][0]] * 2, "`blobs` name a blob twice"),
        ("blobs.0.x", 1, "`blobs[0].x` is not known here; known are `sha256`, `size`, `parts`"),
        ("blobs.0.size", 8, "`blobs[0].parts` do not add up to 8 bytes"),
        ("blobs.0.sha256", "", "`blobs[0].sha256` is not 64 lower-case hexadecimal digits"),
        ("blobs.0.parts.0.raw", 0, "`blobs[0].parts[0].raw` is 0, expected at least 1"),
        ("blobs.0.parts.0.size", 5, "`blobs[0].parts[0].head` is missing from a part of more than one raw slab"),
        ("blobs.0.parts.1.head", None, "`blobs[0].parts[1].head` is missing from a part of more than one raw slab"),
        ("blobs.0.parts.1.size", STORED_LIMIT + 1, f"`blobs[0].parts[1].size` is above the limit of {STORED_LIMIT}"),
        ("blobs.0.parts.1.head.size", 0, "`blobs[0].parts[1].head.size` is 0, expected at least 1"),
        ("blobs.0.parts.1.head.size", HEAD_LIMIT + 1, f"`blobs[0].parts[1].head.size` is above the limit of {HEAD_LIMIT}"),
    ],
)  # fmt: skip
def test_a_packing_list_is_refused_with_the_place(
    where: str, value: object, problem: str
) -> None:
    """Its sizes steer the reading of every volume."""
    found = problem_of(packing.decode, edited(PACKING, where, value))
    assert found == f"packing list: {problem}"


def test_a_part_larger_than_a_slab_has_a_head() -> None:
    """One raw slab is hashed in one go: its size bounds what is held in memory."""
    large = Part(sha256=A, size=SLAB + 1, raw=SLAB + 1)
    blob = PackedBlob(sha256=B, size=SLAB + 1, parts=(large,))
    data = packing.encode(PackingList(blobs=(blob,)))
    assert problem_of(packing.decode, data) == (
        "packing list: `blobs[0].parts[0].head` is missing from a part of more than"
        " one raw slab"
    )


@pytest.mark.parametrize(
    ("where", "value", "problem"),
    [
        ("format", "airlift/release/2", "`format` is `airlift/release/2`, expected `airlift/release/1`"),
        ("kind", "virus", "`kind` has the unknown value `virus`"),
        ("name", "a b", "`name` has white space in it: `a b`"),
        ("name", "a/b/c/d/e", "`name` has more than four parts: `a/b/c/d/e`"),
        ("name", "../m", "`name` has an empty, `.` or `..` part: `../m`"),
        ("counter", 0, "`counter` is 0, expected at least 1"),
        ("files.1.path", "a", "`files` are not sorted by path, each once"),
        ("files.1.path", "A", "`files` are not sorted by path, each once"),
        ("files.0.path", "B", "`files` some file systems cannot hold both `B` and `b`"),
        ("files.1.path", "a/b", "`files` some file systems cannot hold both `a` and `a/b`"),
        ("files.1.path", "\u202ex", '`files[1].path` has a control character or one of <>:"|?*\\: `\\u202ex`'),
        ("files.1.path", "aux.txt", "`files[1].path` has a part whose name Windows reserves: `aux.txt`"),
        ("files.0.class", "safe", "`files[0].class` has the unknown value `safe`"),
        ("files.0.facts", [], "`files[0].facts` is array, expected object"),
        ("files.0.git_oid", 7, "`files[0].git_oid` is integer, expected string"),
        ("upstream", GONE, "`upstream` is missing"),
        ("base_models", "x", "`base_models` is string, expected array"),
    ],
)  # fmt: skip
def test_a_release_document_is_refused_with_the_place(
    where: str, value: object, problem: str
) -> None:
    """A path that could leave its folder is refused even if approvers signed it."""
    found = problem_of(release.decode, edited(RELEASE, where, value))
    assert found == f"release document: {problem}"


def test_a_format_of_the_future_is_told_from_damage() -> None:
    """The operator of an old site learns that a newer airlift is what it takes."""
    with pytest.raises(FormatError) as caught:
        dispatch.decode(edited(DISPATCH, "format", "airlift/dispatch/2"))
    assert caught.value.hint == "a newer airlift may be needed to read this"


@pytest.mark.parametrize(
    ("decode", "record", "name"),
    [
        (dispatch.decode, DISPATCH, "dispatch record"),
        (packing.decode, PACKING, "packing list"),
        (release.decode, RELEASE, "release document"),
    ],
)
def test_a_record_that_lacks_a_key_is_refused(
    decode: Callable[[bytes], object], record: dict[str, object], name: str
) -> None:
    """An absent list is not an empty one: what is read has one spelling."""
    for key in record:
        problem = problem_of(decode, edited(record, key, GONE))
        assert problem == f"{name}: `{key}` is missing"


def test_a_record_above_its_limit_is_not_even_parsed() -> None:
    """A parser's memory is many times that of the text."""
    data = b"[" * (dispatch.LIMIT + 1)
    problem = "dispatch record has 16777217 bytes, the limit is 16777216"
    assert problem_of(dispatch.decode, data) == problem


ODD: list[object] = [
    None,
    True,
    -1,
    0,
    2**53 - 1,
    "",
    "x",
    "A" * 64,
    [],
    {},
    ["x"],
    GONE,
]
USUAL_FILE: dict[str, Any] = {
    "class": "data",
    "facts": {},
    "format": "json",
    "git_oid": None,
    "path": "a",
    "sha256": A,
    "size": 1,
}
USUAL_BLOB = {
    "parts": [{"head": None, "raw": 7, "sha256": B, "size": 7}],
    "sha256": A,
    "size": 7,
}


def read_by_place(name: str) -> Callable[[bytes], object]:
    """Return the reader of a record that has no short way, and so names every place."""

    def read(data: bytes) -> object:
        top = Fields(canonical.decode(data, name=name, limit=9999), record=name)
        if name == "release document":
            return tuple(release._read_file(one) for one in top.tables("files"))
        return tuple(packing._read_blob(one) for one in top.tables("blobs"))

    return read


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize("where", [*USUAL_FILE, "extra"])
def test_a_usual_file_is_read_no_more_kindly(where: str, value: object) -> None:
    """Usual files take a short way, which must refuse all that the long one does."""
    if where == "extra" and value is GONE:
        return
    record = {**RELEASE, "files": [USUAL_FILE]}
    data = edited(record, f"files.0.{where}", value)
    _same(
        lambda one: release.decode(one).files, read_by_place("release document"), data
    )


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    "where",
    [
        *("sha256", "size", "extra", "parts", "parts.0"),
        *(f"parts.0.{key}" for key in ("head", "raw", "sha256", "size", "extra")),
    ],
)
def test_a_usual_blob_is_read_no_more_kindly(where: str, value: object) -> None:
    """So do blobs of one raw slab."""
    if where.endswith("extra") and value is GONE:
        return
    data = edited({**PACKING, "blobs": [USUAL_BLOB]}, f"blobs.0.{where}", value)
    _same(lambda one: packing.decode(one).blobs, read_by_place("packing list"), data)


def _same(
    short: Callable[[bytes], object], long: Callable[[bytes], object], data: bytes
) -> None:
    assert _said(short, data) == _said(long, data)


def _said(read: Callable[[bytes], object], data: bytes) -> object:
    """Return what *read* makes of *data*, or why it refuses."""
    try:
        return read(data)
    except FormatError as error:
        return error.problem
