"""An audit as people see it, in a real Chromium: the page, and the report in a pack."""

import io
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airlift.audit.pack import evidence, html
from airlift.registry import reports
from airlift.registry.overview import Overview
from airlift.registry.reports import Reports
from airlift.serve.http.server import running
from airlift.serve.http.settings import ServeSettings
from airlift.serve.page.dialect import Page
from clients.browser import DESK, PHONE, Browser, browsing
from clients.test_page import AXE, complaints, opened
from troubled import LOOKED, Troubled
from wire import clock

PAPER = (718, 1046)
"""An A4 sheet between margins of 1 cm, in CSS pixels."""

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Troubled:
    """A site with a recorded audit that found something of everything."""
    one = Troubled(tmp_path_factory.mktemp("site"), LOOKED, served=True)
    with one.world.site(LOOKED) as site:
        made = one.made(site)
        data = evidence.seal(made, one.key, bom=None)
        (one.home.parent / "report.html").write_bytes(html.encode(made))
    reports.record(one.home, reports.name_of(LOOKED, made.run_id), data)
    return one


@pytest.fixture(scope="module")
def url(audited: Troubled) -> Iterator[str]:
    """The address of its page of audits."""
    with (
        closing(Overview.open(audited.home)) as overview,
        audited.world.registry() as registry,
    ):
        shelf = registry.shelf(audited.world.store)
        table = (Page(overview, clock, Reports(audited.home)),)
        settings = ServeSettings(port=0)
        log = io.StringIO()
        with running(shelf, settings, log=log, clock=clock, table=table) as address:
            yield f"{address}/-/audit"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    with browsing(tmp_path_factory.mktemp("profile")) as one:
        yield one


@pytest.fixture(scope="module")
def axe(environments: Path) -> str:
    """The program that looks for what keeps people out."""
    home = environments / AXE.replace("@", "-")
    source = home / "node_modules" / "axe-core" / "axe.min.js"
    if not source.exists():
        quiet = ("--no-save", "--ignore-scripts", "--no-audit", "--no-fund")
        home.mkdir(parents=True, exist_ok=True)
        run = ["npm", "install", *quiet, "--prefix", str(home), AXE]
        subprocess.run(run, check=True, capture_output=True)
    return source.read_text()


def addresses(audited: Troubled, url: str) -> tuple[str, str]:
    """Return where the page is, and the report as a file."""
    return url, (audited.home.parent / "report.html").as_uri()


@pytest.mark.parametrize(
    ("size", "dark"), [(DESK, False), (PHONE, True)], ids=["desk", "phone-dark"]
)
def test_nobody_is_kept_out_of_an_audit(
    browser: Browser,
    audited: Troubled,
    url: str,
    axe: str,
    size: tuple[int, int],
    *,
    dark: bool,
) -> None:
    """Contrast, names, headings, landmarks: every rule axe has."""
    for address in addresses(audited, url):
        with opened(browser, size=size, dark=dark) as tab:
            tab.open(address)
            assert complaints(tab, axe) == [], address


def test_an_audit_fits_a_phone(browser: Browser, audited: Troubled, url: str) -> None:
    """At 360 pixels: tables scroll by themselves, the page never does."""
    for address in addresses(audited, url):
        with opened(browser, size=PHONE) as tab:
            tab.open(address)
            wide = tab.run("document.documentElement.scrollWidth")
            assert wide <= PHONE[0], address


def test_an_audit_runs_nothing_and_asks_nobody(
    browser: Browser, audited: Troubled, url: str
) -> None:
    """Names, licences and reasons come from outside; the policy is never in the way."""
    for address in addresses(audited, url):
        with opened(browser) as tab:
            tab.open(address)
            assert "<script>alert(1)</script>" in tab.run("document.body.innerText")
            assert [one["entry"]["text"] for one in tab.told("Log.entryAdded")] == []
            begins = address.partition("/-/")[0]
            asked = {
                one["request"]["url"] for one in tab.told("Network.requestWillBeSent")
            }
            assert {one for one in asked if not one.startswith(begins)} == set()


def test_the_report_keeps_within_a_sheet_of_paper(
    browser: Browser, audited: Troubled
) -> None:
    """What hangs over the edge is not printed, and nobody misses it."""
    with opened(browser, size=PAPER) as tab:
        tab.open((audited.home.parent / "report.html").as_uri())
        tab.call("Emulation.setEmulatedMedia", media="print")
        wide = tab.run(
            "[...document.querySelectorAll('table, svg, p, li')]"
            f".filter(one => one.getBoundingClientRect().right > {PAPER[0]})"
            ".map(one => one.closest('section').querySelector('h2').innerText)"
        )
        assert wide == []
        assert tab.run("document.documentElement.scrollWidth") <= PAPER[0]


def test_the_report_is_open_in_print(browser: Browser, audited: Troubled) -> None:
    """What lies folded on paper cannot be unfolded."""
    with opened(browser) as tab:
        tab.open((audited.home.parent / "report.html").as_uri())
        closed = tab.run("document.querySelectorAll('details:not([open])').length")
        assert closed == 0
        shown = tab.run("getComputedStyle(document.querySelector('h1')).fontSize")
        assert shown == "24px", "its own style counts under its policy"
