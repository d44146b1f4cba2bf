"""Attestations in release documents: listed in one way, or not at all."""

import json
from dataclasses import replace
from typing import Any

import pytest

from airlift.artifact import Attested, Signatory
from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.format import canonical, release
from attestations import AT, model

BY = tuple(
    Signatory(name=name, scheme="ed25519", key_id=sha256(name.encode()), public="00")
    for name in ("alice", "bob")
)
LISTED = tuple(
    Attested(sha256=digest, size=9, at=AT, by=BY)
    for digest in sorted(sha256(text) for text in (b"a", b"b"))
)
TOLD = replace(model(), attestations=LISTED)


def problem(edit: Any) -> str:
    """Return why a document is refused once *edit* has changed its table."""
    table = json.loads(release.encode(TOLD))
    edit(table["attestations"], table)
    with pytest.raises(FormatError) as caught:
        release.decode(canonical.encode(table))
    return str(caught.value)


def test_a_document_with_attestations_reads_back() -> None:
    """Every word of who must have signed is kept."""
    assert release.decode(release.encode(TOLD)) == TOLD


def test_a_document_without_any_is_what_it_was_before() -> None:
    """Airlifts from before read it, and the same lock gives the same release."""
    bare = release.encode(model())
    assert b"attestations" not in bare
    assert not release.has_attestations(bare)
    assert release.has_attestations(release.encode(TOLD))


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda listed, _: listed.clear(), "is empty; a release without any has no"),
        (lambda listed, _: listed.reverse(), "are not sorted by digest, each once"),
        (lambda listed, _: listed.append(listed[-1]), "are not sorted by digest, each"),
        (lambda listed, _: listed.extend([listed[1]] * 64), "64 at most"),
        (lambda listed, _: listed[0].update(size=0), "is 0, expected at least 1"),
        (lambda listed, _: listed[0].update(at="now"), "is not `YYYY-MM-DDThh:mm:ssZ`"),
        (lambda listed, _: listed[0].update(by=[]), "are not 1 to 64 sorted by"),
        (lambda listed, _: listed[0]["by"].reverse(), "are not 1 to 64 sorted by"),
        (lambda listed, _: listed[0].update(kind="x"), "`attestations[0].kind` is not"),
        (lambda listed, _: listed[0].pop("by"), "`attestations[0].by` is missing"),
        (
            lambda listed, _: listed[0]["by"][0].pop("scheme"),
            "`attestations[0].by[0].scheme` is missing",
        ),
        (lambda _, table: table.update(attestations=None), "is null, expected array"),
    ],
)
def test_another_way_to_list_them_is_refused(edit: Any, told: str) -> None:
    """One document has one spelling, also in what it says of others."""
    assert told in problem(edit)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"a":1,"a":1}', "is not strict JSON: an object has a key twice"),
        (b'{"a":1.5}', "is not strict JSON: number 1.5 is not an integer"),
        (b"\xff", "is not strict JSON: 'utf-8' codec can't decode byte 0xff"),
        (b'"\\ud800"', "is not strict JSON: 'utf-8' codec can't encode character"),
        (b"[" * 40 + b"]" * 40, "is nested 40 deep, the limit is 32"),
        (b" " * 101, "has 101 bytes, the limit is 100"),
        (b"{", "is not strict JSON: Expecting property name"),
    ],
)
def test_json_of_others_is_read_one_way_or_not_at_all(data: bytes, told: str) -> None:
    """What two readers could read two ways vouches for nothing."""
    with pytest.raises(FormatError) as caught:
        canonical.decode_foreign(data, name="theirs", limit=100)
    assert str(caught.value).startswith(f"theirs {told}")


def test_json_of_others_may_be_spelt_their_way() -> None:
    """Stock signers write spaces, and keys in their own order."""
    data = b'{ "b": [1, true],\n "a": "\\u00fc" }'
    found = canonical.decode_foreign(data, name="theirs", limit=100)
    assert found == {"b": [1, True], "a": "\u00fc"}
