"""OSV's API on loopback: unmodified clients are told what is known, and what is not."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import catalogues
import informed
from advised import carried, listed, osv
from airlift.format import advice, rule
from airlift.format.catalogue import Catalogue
from airlift.outbound import rules
from airlift.registry.upstream import Upstream
from airlift.serve.advisories import Osv
from airlift.serve.dialect import Answer, Caller, Request
from shelves import MemoryShelf

ISSUED = "2026-03-02T06:00:00Z"
TODAY = "2026-03-05T06:00:00Z"
CVE = "CVE-2026-1000"


def made(**changes: Any) -> Catalogue:
    """Return a catalogue with two advisories about demo, and a rule."""
    records = (
        carried(osv("GHSA-1", aliases=[CVE])),
        carried(osv("PYSEC-1", aliases=[CVE])),
        rule.as_advisory(rules.shipped()[0]),
    )
    found: dict[str, Any] = {
        "packages": (
            catalogues.package("demo", "1.5", "1.0"),
            catalogues.package("quiet"),
        ),
        "advisories": listed(*records),
        "issued": ISSUED,
        "next_expected": "2026-03-09T06:00:00Z",
        "valid_until": "2026-05-01T06:00:00Z",
    }
    return catalogues.of(**(found | changes))


class World:
    """A site, and the dialect over what it knows."""

    def __init__(self, folder: Path, upstream: Upstream) -> None:
        self.upstream, self.now = upstream, TODAY
        self.dialect = Osv(upstream, lambda: self.now)
        self.shelf = MemoryShelf(folder / "shelf", [])

    def ask(self, path: str, table: object = None, **changes: Any) -> tuple[int, Any]:
        """Return status and JSON of the answer to a request."""
        method = "GET" if table is None else "POST"
        body = b"" if table is None else json.dumps(table).encode()
        request = Request(**{"method": method, "path": path, "body": body, **changes})
        answer = self.dialect.answer(request, self.shelf)
        assert isinstance(answer, Answer)
        assert isinstance(answer.body, bytes)
        return answer.status, json.loads(answer.body)

    def ids(self, package: str, version: str) -> list[str]:
        """Return what is known against a version."""
        status, told = self.ask("/osv/v1/query", query(package, version))
        assert status == 200
        return [one["id"] for one in told.get("vulns", [])]


def query(package: str, version: str) -> dict[str, Any]:
    """Return a question as pip-audit sends it."""
    return {"package": {"name": package, "ecosystem": "PyPI"}, "version": version}


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Any:
    (tmp_path / "shelf").mkdir()
    with closing(Upstream.open(informed.site(tmp_path))) as upstream:
        yield World(tmp_path, upstream)


def test_every_record_about_a_version_is_sent(world: World) -> None:
    """Clients merge aliases themselves; an empty object means that all is well."""
    informed.take(world.upstream, made())
    assert world.ids("Demo", "1.0") == ["GHSA-1", "PYSEC-1"]
    assert world.ids("demo", "1.5") == []
    assert world.ids("quiet", "1.0") == []
    assert world.ask("/osv/v1/query", query("demo", "1.5")) == (200, {})


@pytest.mark.parametrize(
    ("package", "version", "why"),
    [
        ("other", "1.0", "catalogue 1 does not watch it"),
        (
            "odd",
            "1.0",
            "no advisories were looked through for it: no advisories were given",
        ),
        ("demo", "build-7", "nobody can tell whether it is meant by GHSA-1"),
    ],
)
def test_what_nobody_knows_is_a_record_that_says_so(
    world: World, package: str, version: str, why: str
) -> None:
    """A client has no other way to be told: silence would be a clean bill."""
    odd = catalogues.package("odd", advised="")
    packages = (*made().packages, odd)
    named = tuple(sorted(packages, key=lambda one: one.name))
    informed.take(world.upstream, made(packages=named))
    status, told = world.ask("/osv/v1/query", query(package, version))
    (one,) = told["vulns"]
    assert (status, one["id"], one["modified"]) == (200, advice.UNKNOWN, ISSUED)
    assert one["summary"] == (
        f"{package} {version}: nobody knows whether anything is known against it: {why}"
    )
    assert one["affected"][0]["versions"] == [version]


def test_a_catalogue_past_its_end_knows_nothing(world: World) -> None:
    """What it finds it still finds; what it does not find is unknown."""
    informed.take(world.upstream, made())
    world.now = "2026-05-01T06:00:01Z"
    assert world.ids("quiet", "1.0") == [advice.UNKNOWN]
    assert world.ids("demo", "1.0") == ["GHSA-1", "PYSEC-1", advice.UNKNOWN]


def test_without_a_catalogue_nothing_is_answered(world: World) -> None:
    """Not even about what no catalogue could know."""
    told = {"code": 14, "message": "no catalogue was ever imported: nothing is known"}
    assert world.ask("/osv/v1/query", query("demo", "1.0")) == (503, told)
    assert world.ask("/osv/v1/vulns/GHSA-1") == (503, told)


def test_a_newer_catalogue_counts_at_once(world: World) -> None:
    """Nobody restarts a server for it."""
    informed.take(world.upstream, made(advisories=()))
    assert world.ids("demo", "1.0") == []
    informed.take(
        world.upstream,
        catalogues.after(
            made(advisories=()),
            "2026-03-04T06:00:00Z",
            advisories=made().advisories,
        ),
    )
    assert world.ids("demo", "1.0") == ["GHSA-1", "PYSEC-1"]


def test_a_batch_is_answered_in_its_order(world: World) -> None:
    """With ids and times alone, as osv.dev does."""
    informed.take(world.upstream, made())
    asked = [query("quiet", "1.0"), query("demo", "1.0"), query("other", "1")]
    status, told = world.ask("/osv/v1/querybatch", {"queries": asked})
    changed = "2026-02-28T01:02:03Z"
    assert (status, told) == (
        200,
        {
            "results": [
                {},
                {
                    "vulns": [
                        {"id": "GHSA-1", "modified": changed},
                        {"id": "PYSEC-1", "modified": changed},
                    ]
                },
                {"vulns": [{"id": advice.UNKNOWN, "modified": ISSUED}]},
            ]
        },
    )


def test_a_record_is_found_by_its_id(world: World) -> None:
    """Rules are no advisories of anybody's."""
    informed.take(world.upstream, made())
    status, told = world.ask("/osv/v1/vulns/GHSA-1")
    assert (status, told["id"], told["aliases"]) == (200, "GHSA-1", [CVE])
    for name in ("GHSA-2", "AIRLIFT-2026-0001", "%00"):
        status, told = world.ask(f"/osv/v1/vulns/{name}")
        assert (status, told["code"]) == (404, 5)


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/osv/v1/query", "GET", "POST"),
        ("/osv/v1/querybatch", "HEAD", "POST"),
        ("/osv/v1/vulns/GHSA-1", "POST", "GET, HEAD"),
    ],
)
def test_other_methods_are_refused(
    world: World, path: str, method: str, allowed: str
) -> None:
    """A question sent the wrong way must not look like one without an answer."""
    status, told = world.ask(path, method=method)
    assert (status, told["message"]) == (405, f"use {allowed} here")


def test_a_question_nobody_can_answer_is_refused(world: World) -> None:
    """Of another ecosystem, say."""
    informed.take(world.upstream, made())
    asked = {"package": {"name": "demo", "ecosystem": "npm"}, "version": "1.0"}
    assert world.ask("/osv/v1/query", asked) == (
        400,
        {"code": 3, "message": "the request is not about a package of PyPI"},
    )


def test_who_is_not_signed_in_is_told_nothing(world: World) -> None:
    """What is watched tells what the site runs."""
    informed.take(world.upstream, made())
    stranger = Caller(may_sign_in=True)
    status, told = world.ask("/osv/v1/query", query("demo", "1.0"), caller=stranger)
    assert (status, told["code"]) == (401, 16)


@pytest.mark.parametrize(
    "path", ["/osv/v1/resolve/main/x", "/osv/v1", "/osv/v1/vulns/a/b", "/osv/v2/query"]
)
def test_other_paths_are_other_dialects(world: World, path: str) -> None:
    """A repository may be called `osv/v1`."""
    request = Request(method="GET", path=path)
    assert world.dialect.answer(request, world.shelf) is None
