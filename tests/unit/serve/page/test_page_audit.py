"""The page of audits: what it shows, to whom, and what it hands over."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airlift.audit.pack import checking, evidence
from airlift.audit.pack.made import Told
from airlift.format import pack
from airlift.registry import reports
from airlift.registry.overview import Overview
from airlift.registry.reports import Reports
from airlift.serve.dialect import ANYONE, Answer, Caller, Request
from airlift.serve.page import badges
from airlift.serve.page.dialect import Page
from audited import TODAY
from evidence import Audited
from page_world import Reader, read
from troubled import CHAT, DEMO, LOOKED, Troubled

LATER = "2026-03-06T06:00:00Z"


class Shown:
    """A site with a recorded audit, and its page."""

    def __init__(self, folder: Path) -> None:
        self.audited = Audited(folder)
        self.home = self.audited.home
        self.overview = Overview.open(self.home)
        self.page = Page(self.overview, lambda: LATER, Reports(self.home))

    def record(self) -> str:
        """Record an audit of ``TODAY``; return the name of its pack."""
        with self.audited.world.site() as site:
            made = self.audited.made(site)
            data = evidence.seal(made, self.audited.key, bom=None)
        name = reports.name_of(TODAY, made.run_id)
        reports.record(self.home, name, data)
        return name

    def get(self, target: str, caller: Caller = ANYONE) -> Answer:
        """Return the answer to a GET."""
        request = Request(method="GET", path=target, base_url="http://h", caller=caller)
        with self.audited.world.registry() as registry:
            shelf = registry.shelf(self.audited.world.store)
            answer = self.page.answer(request, shelf)
        assert answer is not None
        return answer

    def read(self) -> Reader:
        """Return what a reader finds on the page of audits."""
        answer = self.get("/-/audit")
        assert answer.status == 200
        return read(answer)


@pytest.fixture(name="shown")
def _shown(tmp_path: Path) -> Iterator[Shown]:
    shown = Shown(tmp_path)
    with closing(shown.overview):
        yield shown


def test_a_site_without_audits_says_how_to_record_one(shown: Shown) -> None:
    """An empty page would seem to say that nothing was found."""
    told = "No audit was recorded here. airlift audit export --record makes one."
    assert told in shown.read().said("p")


def test_the_newest_audit_is_shown_with_its_age_and_what_is_unknown(
    shown: Shown,
) -> None:
    """A verdict without its date is read as today's."""
    shown.record()
    page = shown.read()
    lead = page.said("p")[0]
    assert lead.startswith("Recorded 2026-03-05 06:00 UTC, 1 day ago: ")
    assert "not every question could be answered" in lead
    rows = page.said("tr")
    (verify,) = (one for one in rows if one.startswith("Q3 "))
    (vulns,) = (one for one in rows if one.startswith("Q5 "))
    assert " pass " in f" {verify} " or " unknown " in f" {verify} "
    assert "unknown" in vulns
    assert "no catalogue was ever imported" in vulns


def test_a_pack_is_handed_over_as_it_was_recorded(shown: Shown) -> None:
    """What an auditor takes along has to be what the site signed."""
    name = shown.record()
    assert f"/-/audit/{name}" in shown.read().links
    answer = shown.get(f"/-/audit/{name}")
    told = dict(answer.headers)
    assert (answer.status, told["Content-Type"]) == (200, "application/x-tar")
    assert told["Content-Disposition"] == (
        f'attachment; filename="airlift-audit-{name}"'
    )
    assert isinstance(answer.body, bytes)
    files = pack.decode(answer.body)[1]
    found = checking.check(files, shown.audited.key.public)
    assert all(one.is_sound for one in found)


@pytest.mark.parametrize(
    "name", ["x.tar", "..%2Fsite-key", "20260305T060000Z-0123456789abcdef.tar"]
)
def test_nothing_else_of_the_site_is_handed_over(shown: Shown, name: str) -> None:
    """The key of the site lies one folder above."""
    assert shown.get(f"/-/audit/{name}").status == 404


def test_a_report_that_the_site_did_not_sign_is_not_shown(shown: Shown) -> None:
    """Who can write a folder must not be able to write verdicts."""
    name = shown.record()
    path = shown.home / reports.FOLDER / name
    top, files = pack.decode(path.read_bytes())
    files["report.json"] = files["report.json"].replace(b"unknown", b"passing")
    files[pack.DIGESTS] = pack.list_digests(files)
    path.chmod(0o600)
    path.write_bytes(pack.encode(top, files))
    page = shown.read()
    told = [one for one in page.said("p") if "is not what this site's key" in one]
    assert len(told) == 1
    assert not [one for one in page.said("tr") if one.startswith("Q3 ")]


def test_audits_are_for_those_who_may_see_everything(shown: Shown) -> None:
    """A report names all that is held, and all that is wrong with it."""
    name = shown.record()
    team = Caller(name="team")
    for target in ("/-/audit", f"/-/audit/{name}"):
        assert shown.get(target, team).status == 403
        stranger = shown.get(target, Caller(may_sign_in=True))
        assert stranger.status == 401
    overview = read(shown.get("/", team))
    assert "/-/audit" not in overview.links
    assert "/-/audit" in read(shown.get("/")).links


# --- what is late -----------------------------------------------------------------


@pytest.fixture(name="late", scope="module")
def _late(tmp_path_factory: pytest.TempPathFactory) -> tuple[Troubled, Told]:
    """A site on which nearly everything is late, and the report that it recorded."""
    one = Troubled(tmp_path_factory.mktemp("late"))
    with one.world.site(LOOKED) as site:
        made = one.made(site)
        data = evidence.seal(made, one.key, bom=None)
    reports.record(one.home, reports.name_of(LOOKED, made.run_id), data)
    return one, made.told


@pytest.mark.parametrize(
    ("now", "words", "days"),
    [
        (LOOKED, ("ageing", "ageing", "late", "never"), (11, 12, 140, None)),
        # A clock that was set back makes nothing young again.
        (
            "2026-07-01T06:00:00Z",
            ("ageing", "ageing", "late", "never"),
            (11, 12, 140, None),
        ),
        (
            "2026-08-09T06:00:00Z",
            ("stale", "stale", "late", "never"),
            (31, 32, 160, None),
        ),
    ],
)
def test_ages_are_counted_on_to_the_day_of_the_reader(
    late: tuple[Troubled, Told],
    now: str,
    words: tuple[str, ...],
    days: tuple[int | None, ...],
) -> None:
    """What was fresh when it was recorded may be stale when it is read."""
    found = badges.ages(late[1], now)
    assert [one.label for one in found] == [
        *("catalogue", "advisories", "hashes", "virus scans"),
    ]
    assert (tuple(one.word for one in found), tuple(one.days for one in found)) == (
        words,
        days,
    )


def test_updates_are_shown_in_their_order_with_what_they_take(
    late: tuple[Troubled, Told],
) -> None:
    """What to ask for first, how far it goes, and how many bytes a medium needs."""
    one, told = late
    with closing(Overview.open(one.home)) as overview, one.world.registry() as registry:
        shown = Page(overview, lambda: LOOKED, Reports(one.home))
        shelf = registry.shelf(one.world.store)
        answer = shown.answer(Request(method="GET", path="/-/audit"), shelf)
        plain = shown.answer(Request(method="GET", path="/-/audit.json"), shelf)
    assert answer is not None
    assert plain is not None
    rows = read(answer).said("tr")
    start = next(at for at, row in enumerate(rows) if row.startswith("What Held"))
    assert rows[start + 1].startswith(f"{DEMO} 1.0 1.5 packages 47 kB 47 kB GHSA-")
    assert rows[start + 1].endswith(
        "= kev 1000 + critical 400 + epss 94 + withdrawn 300 + age 8"
    )
    assert rows[start + 3].startswith(f"{CHAT} {'b' * 12} {'c' * 12} weights")
    assert isinstance(plain.body, bytes)
    assert json.loads(plain.body) == told
