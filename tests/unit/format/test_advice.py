"""What advisories say of one version: faults, not records; and what nobody knows."""

from typing import Any

import pytest

import catalogues
from advised import V8_8, V9_8, carried, listed, osv, scored
from airlift.format.advice import Advice, best_first
from airlift.format.catalogue import Advisory, Catalogue
from airlift.format.severity import Rating

CVE = "CVE-2026-1000"
GHSA = "GHSA-aaaa-bbbb-cccc"


def made(*records: Advisory, **changes: Any) -> Catalogue:
    """Return a catalogue with a looked through package and *records*."""
    package = catalogues.package("demo", "1.5", "1.0")
    return catalogues.of(packages=(package,), advisories=listed(*records), **changes)


def told(*records: dict[str, Any]) -> Advice:
    """Return the advice of *records* as OSV publishes them."""
    return Advice(made(*(carried(one) for one in records)))


def test_records_of_one_fault_are_one_vulnerability() -> None:
    """Nobody wants to chase aliases; its CVE is what people compare."""
    found = told(
        osv(GHSA, aliases=[CVE], severity=scored(V9_8), summary=""),
        osv(
            "PYSEC-2026-7", aliases=[CVE], fixed="1.6", published="2026-01-02T00:00:00Z"
        ),
    ).of("demo", "1.0")
    (one,) = found
    assert (one.id, one.aliases) == (CVE, (GHSA, "PYSEC-2026-7"))
    assert [each.id for each in one.records] == [GHSA, "PYSEC-2026-7"]
    assert (one.rating.level, one.rating.score) == ("critical", "9.8")
    assert (one.summary, one.published) == ("demo breaks", "2026-01-02T00:00:00Z")
    # What one database calls fixed is not well while the other says it is affected.
    assert one.fixed_in == "1.6"


def test_records_meet_through_a_third() -> None:
    """One names the CVE, one names GitHub's id, the third names both."""
    found = told(
        osv("PYSEC-1", aliases=["X-1"]),
        osv("X-2", aliases=["X-1", GHSA]),
        osv(GHSA, aliases=[CVE]),
        osv("GHSA-other", aliases=[]),
    ).of("demo", "1.0")
    assert [(one.id, len(one.records)) for one in found] == [
        (CVE, 3),
        ("GHSA-other", 1),
    ]


def test_what_was_withdrawn_says_nothing() -> None:
    """Its publisher took it back."""
    gone = told(osv(GHSA, withdrawn="2026-02-01T00:00:00Z"))
    assert gone.of("demo", "1.0") == ()
    assert gone.undecided("demo", "1.0") == ()


def test_a_malicious_package_is_critical_and_nothing_fixes_it() -> None:
    """The next version is by the same hands."""
    (one,) = told(osv("MAL-2026-9", fixed="1.5")).of("demo", "1.0")
    assert (one.id, one.malicious, one.fixed_in) == ("MAL-2026-9", True, "")
    assert one.rating == Rating(level="critical", by="publisher")


def test_a_fix_is_a_version_that_no_record_is_about() -> None:
    """1.3 closed one range and opened another."""
    record = osv(GHSA)
    record["affected"][0]["ranges"] = [
        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.3"}]},
        {"type": "ECOSYSTEM", "events": [{"introduced": "1.3"}, {"fixed": "1.4"}]},
    ]
    (one,) = told(record).of("demo", "1.0")
    assert one.fixed_in == "1.4"
    (open_one,) = told(osv(GHSA, fixed="")).of("demo", "1.0")
    assert open_one.fixed_in == ""


def test_the_worst_comes_first() -> None:
    """A person reads from the top."""
    found = told(
        osv("GHSA-low", database_specific={"severity": "LOW"}),
        osv("GHSA-high", severity=scored(V8_8)),
        osv("GHSA-critical", severity=scored(V9_8)),
    ).of("demo", "1.0")
    assert [one.id for one in found] == ["GHSA-critical", "GHSA-high", "GHSA-low"]


def test_what_was_found_out_about_any_record_counts_for_all() -> None:
    """The CVE is exploited, whichever database names it."""
    kev = {"as_of": "2026-03-01T00:00:00Z", "added": "2026-02-02"}
    asked = {"as_of": "2026-03-02T00:00:00Z"}
    found = Advice(
        made(
            carried(osv(GHSA, aliases=[CVE]), {"kev": kev}),
            carried(osv("PYSEC-1", aliases=[CVE]), {"kev": asked}),
        )
    ).of("demo", "1.0")
    assert [(one.kev, one.epss) for one in found] == [(kev, {})]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        (
            {"packages": ()},
            "catalogue 1 does not watch it",
        ),
        (
            {"packages": (catalogues.package("demo", advised=""),)},
            "no advisories were looked through for it: no advisories were given",
        ),
    ],
)
def test_nothing_found_counts_only_where_somebody_looked(
    changes: dict[str, Any], expected: str
) -> None:
    """An empty list of advisories is not a clean bill."""
    package = {"packages": (catalogues.package("demo"),)}
    assert Advice(catalogues.of(**(package | changes))).unknown("demo") == expected


def test_ids_are_shown_by_what_people_know() -> None:
    """CVE, then what is malicious, then GitHub's and PyPA's, then the rest."""
    ids = ["OSV-1", "PYSEC-1", "GHSA-1", "MAL-1", "CVE-2", "CVE-1", "CVE-1"]
    assert best_first(ids) == (
        *("CVE-1", "CVE-2", "MAL-1", "GHSA-1", "PYSEC-1", "OSV-1"),
    )
