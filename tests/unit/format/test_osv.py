"""OSV's wire form: what clients read says what is held here."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advised import V8_8, carried, osv, scored
from airlift.artifact import Json
from airlift.errors import FormatError
from airlift.format import osv as wire
from airlift.format.osv import Query

ISSUED = "2026-03-02T06:00:00Z"


def asked(table: object, *, batch: bool = False) -> tuple[Query, ...]:
    """Return the questions in a request of *table*."""
    return wire.queries(json.dumps(table).encode(), batch=batch)


def test_a_package_url_may_be_encoded() -> None:
    """A plus sign must be: builds for graphics cards have one."""
    found = asked({"package": {"purl": "pkg:pypi/engine@2.1.0%2Bcu128"}})
    assert found == (Query(package="engine", version="2.1.0+cu128"),)


@pytest.mark.parametrize(
    "table",
    [
        {"package": {"name": "De.Mo_x", "ecosystem": "PyPI"}, "version": "1.0"},
        {"package": {"purl": "pkg:pypi/de-mo-x@1.0"}},
        {"package": {"purl": "pkg:pypi/de-mo-x"}, "version": "1.0"},
        {"package": {"purl": "pkg:pypi/de-mo-x@1.0?file_name=x"}},
    ],
)
def test_a_question_is_read_in_every_form(table: object) -> None:
    """Clients spell names as they like, and some send package URLs."""
    assert asked(table) == (Query(package="de-mo-x", version="1.0"),)
    assert asked({"queries": [table, table]}, batch=True) == asked(table) * 2


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({}, "the request is not about a package of PyPI"),
        ([], "the request is not about a package of PyPI"),
        ({"commit": "a" * 40}, "the request is not about a package of PyPI"),
        (
            {"package": {"name": "x", "ecosystem": "npm"}, "version": "1"},
            "the request is not about a package of PyPI",
        ),
        (
            {"package": {"name": "x", "ecosystem": "PyPI"}},
            "the request names no package and version",
        ),
        (
            {"package": {"name": 7, "ecosystem": "PyPI"}, "version": "1"},
            "the request names no package and version",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused(table: object, problem: str) -> None:
    """An empty answer would read as "nothing is known against it"."""
    with pytest.raises(FormatError) as caught:
        asked(table)
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"queries": [{}]}, "query 0 is not about a package of PyPI"),
        ({"queries": {}}, "the request has no list `queries` of at most 1000"),
        ({"queries": [{}] * 1001}, "the request has no list `queries` of at most 1000"),
    ],
)
def test_one_bad_question_refuses_the_batch(table: object, problem: str) -> None:
    """Answers are matched by their place; none may be left out."""
    with pytest.raises(FormatError) as caught:
        asked(table, batch=True)
    assert caught.value.problem == problem


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    """Anybody who reaches the server can send anything."""
    for batch in (False, True):
        with pytest.raises(FormatError):
            wire.queries(body, batch=batch)


def test_a_record_is_sent_as_osv_publishes_it() -> None:
    """With what was found out about it; times end in Z, or pip-audit breaks."""
    own: dict[str, Json] = {"kev": {"as_of": ISSUED}}
    record = osv(
        "GHSA-1",
        aliases=["CVE-2026-1"],
        severity=scored(V8_8),
        published="2026-01-28T01:02:03.5+00:00",
    )
    record["affected"][0]["versions"] = ["2.0"]
    assert wire.wire(carried(record, own), issued=ISSUED) == {
        "schema_version": "1.7.0",
        "id": "GHSA-1",
        "modified": "2026-02-28T01:02:03Z",
        "published": "2026-01-28T01:02:03Z",
        "aliases": ("CVE-2026-1",),
        "summary": "demo breaks",
        "severity": [{"type": "CVSS_V3", "score": V8_8}],
        "database_specific": own,
        "affected": [
            {
                "package": {
                    "ecosystem": "PyPI",
                    "name": "demo",
                    "purl": "pkg:pypi/demo",
                },
                "ranges": [
                    {
                        "type": "ECOSYSTEM",
                        "events": [{"introduced": "0"}, {"fixed": "1.5"}],
                    }
                ],
                "versions": ("2.0",),
            }
        ],
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-28T01:02:03Z", "2026-01-28T01:02:03Z"),
        ("2026-01-28t01:02:03.123456z", "2026-01-28T01:02:03Z"),
        ("2026-01-28 01:02:03+00:00", "2026-01-28T01:02:03Z"),
        ("2026-01-28T01:02:03", "2026-01-28T01:02:03Z"),
        ("2026-01-28T01:02:03+02:00", ""),
        ("2026-01-28", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_times_are_spelt_one_way(text: Any, expected: str) -> None:
    """Another offset is left out rather than told wrongly."""
    assert wire.moment(text) == expected


def test_what_a_client_cannot_read_is_left_out() -> None:
    """Pip-audit ends with an error on a fixed version that has no order."""
    record = osv("GHSA-1", fixed="not a version", modified="soon")
    record["affected"][0]["versions"] = ["1.0"]
    found: Any = wire.wire(carried(record), issued=ISSUED)
    assert found["affected"][0]["ranges"][0]["events"] == [{"introduced": "0"}]
    assert found["modified"] == ISSUED
