"""A slip in a real browser: on A4, on a roll of labels, read back by a scanner."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from airlift.cli import qr
from airlift.format import slip_code
from airlift.outbound import slip
from clients.browser import Browser, browsing
from slips import EVIL, made

pytestmark = pytest.mark.clients

A4, LABEL = (794, 1123), (234, 700)
"""CSS pixels: 210 mm by 297 mm; 62 mm wide."""


@pytest.fixture(scope="module", name="browser")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def _file(folder: Path, told: slip.Slip) -> str:
    path = folder / "slip.html"
    path.write_bytes(slip.render(told, square=qr.scalable(told.text)))
    return path.as_uri()


@pytest.mark.parametrize("size", [A4, LABEL])
def test_the_square_is_read_from_what_is_shown(
    browser: Browser, tmp_path: Path, size: tuple[int, int]
) -> None:
    """What counts is ink: style, size and border of the square included."""
    told, tab = made(), browser.tab(size)
    tab.open(_file(tmp_path, told))
    image = Image.open(io.BytesIO(tab.screenshot()))
    found = zxingcpp.read_barcodes(image)
    assert [slip_code.decode(one.text).dispatch for one in found] == [told.dispatch]
    assert tab.run("document.documentElement.scrollWidth") == size[0]
    assert tab.told("Log.entryAdded") == []
    tab.close()


def test_a_hostile_name_is_shown_and_not_run(browser: Browser, tmp_path: Path) -> None:
    """The policy would stop it, and there is nothing to stop."""
    tab = browser.tab(A4)
    tab.open(_file(tmp_path, made(name=EVIL)))
    assert tab.run("document.scripts.length") == 0
    assert tab.told("Page.javascriptDialogOpening") == []
    assert tab.told("Log.entryAdded") == []
    tab.close()


def test_a_slip_is_one_page_and_a_long_one_repeats_its_head(
    browser: Browser, tmp_path: Path
) -> None:
    """Three volumes are a sheet; sixty are several, each with its head of columns."""
    pages = []
    for volumes in (3, 60):
        tab = browser.tab()
        tab.open(_file(tmp_path, made(volumes)))
        printed = tab.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
        data = base64.b64decode(printed["data"])
        pages.append(len(re.findall(rb"/Type\s*/Page\b", data)))
        tab.close()
    assert pages[0] == 1
    assert pages[1] > 2
