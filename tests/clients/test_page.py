"""The catalogue in a real Chromium: seen, read aloud, and used by keyboard.

Needs Chromium and npm; axe-core, which looks for what keeps people out, is installed
by the test.
"""

import contextlib
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.serve.http.server import running
from airlift.serve.http.settings import ServeSettings
from airlift.serve.hub.huggingface import HuggingFace
from airlift.serve.wheels.simple_index import SimpleIndex
from clients.browser import DESK, PHONE, Browser, Tab, browsing
from page_world import GGUF, LLM, World, document, small_site
from wire import clock

pytestmark = pytest.mark.clients

AXE = "axe-core@4.14.1"
LONG = "attack/" + "W" * 200
PAGES = (
    *("/", "/-/models", "/-/models?q=nothing+here", "/-/wheels", "/-/wheels/foo-bar"),
    *("/-/imports", "/-/imports/1", "/-/storage", "/-/audit", "/-/no-such-page"),
    *(f"/-/models/gguf/{GGUF}", f"/-/models/model/{LLM}", "/-/models/model/org/waits"),
    f"/-/models/model/{LONG}",
)
HOSTILE = '<script>window.caught=1</script><img src=x onerror="window.caught=1">'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A site with something of everything, words that attack, and long names."""
    one = small_site(tmp_path_factory.mktemp("site"))
    one.site.hold(b"x")
    attack = document(
        Kind.MODEL,
        LONG,
        {"W" * 200: b"x", "config.json": b"{}"},
        licence=HOSTILE,
        upstream={"notice": HOSTILE, HOSTILE: "javascript:window.caught=1"},
        base_models=[HOSTILE],
        refs=["main", HOSTILE],
    )
    one.bring(attack)
    return one


@pytest.fixture(scope="module")
def url(site: World) -> Iterator[str]:
    """The address of that site, served below a prefix."""
    table = (site.page, SimpleIndex(), HuggingFace())
    settings = ServeSettings(port=0, prefix="/airlift")
    log = io.StringIO()
    with running(site.shelf, settings, log=log, clock=clock, table=table) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests; each opens tabs of its own."""
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


def complaints(tab: Tab, axe: str) -> list[str]:
    """Return what axe has against a page, with where."""
    tab.run(axe)
    found = tab.run("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:90]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(
    ("size", "dark"), [(DESK, False), (PHONE, True)], ids=["desk", "phone-dark"]
)
def test_nobody_is_kept_out(
    browser: Browser, url: str, axe: str, size: tuple[int, int], *, dark: bool
) -> None:
    """Contrast, names of controls, headings, landmarks: every rule axe has."""
    with opened(browser, size=size, dark=dark) as tab:
        for page in PAGES:
            tab.open(url + page)
            assert complaints(tab, axe) == [], page


def test_axe_sees_what_is_wrong(browser: Browser, url: str, axe: str) -> None:
    """A check that lets everything pass is none."""
    with opened(browser) as tab:
        tab.open(f"{url}/-/models")
        tab.run("document.querySelector('label[for=kind]').remove()")
        assert [one.split(":")[0] for one in complaints(tab, axe)] == ["select-name"]


@pytest.mark.parametrize("page", PAGES)
def test_a_phone_never_scrolls_sideways(browser: Browser, url: str, page: str) -> None:
    """At 360 pixels, with names of 200 letters."""
    with opened(browser, size=PHONE) as tab:
        tab.open(url + page)
        assert tab.run("document.documentElement.scrollWidth") == PHONE[0]
        assert tab.run(_OVERFLOWING) == []


_OVERFLOWING = """[...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.skip, .hidden') && e.getClientRects().length)
  .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
  .map(e => e.outerHTML.slice(0, 80))"""


def test_a_page_runs_nothing_and_asks_nobody_else(browser: Browser, url: str) -> None:
    """Names are signed, not harmless: whatever they say, no script, no other host."""
    with opened(browser) as tab:
        tab.open(f"{url}/-/models?q=attack")
        tab.run("document.querySelector('tbody th a').click()")
        tab.loaded()
        assert HOSTILE in tab.run("document.querySelector('main').innerText")
        assert tab.run("window.caught") is None
        assert [one["entry"]["text"] for one in tab.told("Log.entryAdded")] == []
        asked = {one["request"]["url"] for one in tab.told("Network.requestWillBeSent")}
        assert {one for one in asked if not one.startswith(f"{url}/")} == set()


def test_the_policy_would_stop_what_escaping_missed(browser: Browser, url: str) -> None:
    """The second wall, tried: a script put into the page does not run."""
    with opened(browser) as tab:
        tab.open(f"{url}/")
        tab.run(
            "{const s = document.createElement('script');"
            " s.textContent = 'window.caught = 1'; document.body.append(s);"
            " document.body.insertAdjacentHTML('beforeend',"
            " '<img src=x onerror=\"window.caught=1\"><p style=color:red>x</p>');}"
        )
        tab.run("new Promise(done => setTimeout(done, 200))")
        assert tab.run("window.caught") is None
        color = "getComputedStyle(document.querySelector('p:last-child')).color"
        assert tab.run(color) != "rgb(255, 0, 0)"


def test_everything_works_without_script(browser: Browser, url: str) -> None:
    """Search, filter and links, in a browser that runs no script at all."""
    with opened(browser, script=False) as tab:
        tab.open(f"{url}/")
        tab.click("#q")
        tab.call("Input.insertText", text="llm-gguf")
        tab.press("Enter")
        tab.loaded()
        assert tab.address() == f"{url}/-/models?q=llm-gguf"
        tab.click("tbody th a")
        tab.loaded()
        assert tab.address().startswith(f"{url}/-/releases/")
        assert tab.title() == f"{GGUF} \u00b7 airlift"


def test_a_keyboard_is_enough(browser: Browser, url: str) -> None:
    """The first stop skips to the content, and every stop can be seen."""
    with opened(browser) as tab:
        tab.open(f"{url}/-/models")
        tab.press("Tab")
        assert tab.run("document.activeElement.textContent") == "Skip to the content"
        assert tab.run("document.activeElement.getBoundingClientRect().left") == 0
        tab.press("Enter")
        tab.press("Tab")
        assert tab.run("document.activeElement.id") == "q"
        stops = []
        for _ in range(8):
            tab.press("Tab")
            seen = "getComputedStyle(document.activeElement).outlineStyle"
            assert tab.run(seen) == "solid"
            stops.append(tab.run("document.activeElement.textContent.trim()"))
        assert stops[3:6] == ["Show", "Name \u25b2", "Kind"]


def test_one_click_selects_a_whole_command(browser: Browser, url: str) -> None:
    """What is pasted must be all of it and nothing else."""
    with opened(browser) as tab:
        tab.open(f"{url}/-/models/model/{LLM}")
        tab.click("pre")
        text = tab.run("document.querySelector('pre').textContent")
        assert tab.run("getSelection().toString()") == text
        assert text.startswith(f"export HF_ENDPOINT={url}\nhf download {LLM}")


def test_a_digest_is_shown_short_and_copied_whole(browser: Browser, url: str) -> None:
    """Half a digest compares with nothing."""
    with opened(browser) as tab:
        tab.open(f"{url}/-/models/model/{LLM}")
        tab.click("td .hash")
        digest = tab.run("getSelection().toString()")
        assert len(digest) == 64
        assert digest == tab.run("document.querySelector('td .hash').textContent")
        cut = "(e => e.scrollWidth > e.clientWidth)(document.querySelector('td .hash'))"
        assert tab.run(cut) is True


def test_a_dark_room_stays_dark(browser: Browser, url: str) -> None:
    """The reader's own setting decides."""
    color = "getComputedStyle(document.body).backgroundColor"
    seen = []
    for dark in (False, True):
        with opened(browser, dark=dark) as tab:
            tab.open(f"{url}/")
            seen.append(tab.run(color))
    assert seen == ["rgb(247, 248, 249)", "rgb(18, 21, 24)"]


@contextlib.contextmanager
def opened(
    browser: Browser,
    *,
    size: tuple[int, int] = DESK,
    dark: bool = False,
    script: bool = True,
) -> Iterator[Tab]:
    """Open a tab and close it at the end."""
    tab = browser.tab(size, dark=dark, script=script)
    try:
        yield tab
    finally:
        tab.close()
