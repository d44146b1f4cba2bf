"""The paper that goes with a medium: what stands on it, and what never runs in it."""

import base64
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from airlift.cli import qr
from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.format import slip_code
from airlift.format.slip_code import SlipCode
from airlift.outbound import slip
from slips import EVIL, made


class _Page(HTMLParser):
    """Collects the elements, attributes and text of a page."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.said = ""
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.add(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.said += data


def _rendered(told: slip.Slip) -> bytes:
    return slip.render(told, square=qr.scalable(told.text))


def test_a_slip_says_what_has_to_be_compared() -> None:
    """Whoever holds the medium needs nothing but this paper to check it."""
    told = made()
    said = _Page(_rendered(told)).said
    for expected in (
        *("plant7-north", "Delivery 42, medium 2 of 3", "17 volume(s) in all"),
        *("AIRLIFT-B", "4C530001240611", "exfat 6A1F-33C0", "alice@export-host"),
        *("2026-11-23T12:40:00Z", "2027-01-07T12:00:00Z", "7K3M-Q2ZA-9XWD"),
        *("acme/qwen3-32b-instruct", "9216db5781bf", "apache-2.0", "65.5 GB"),
        *(told.root.words, told.root.groups, told.dispatch),
        *(note.name for note in told.volumes),
        *(note.sha256 for note in told.volumes),
        *(str(note.size) for note in told.volumes),
    ):
        assert expected in said


def test_nothing_in_a_slip_can_run_or_load() -> None:
    """Names come from outside, and the file is opened on hosts that matter."""
    data = _rendered(made(name=EVIL))
    page = _Page(data)
    assert page.elements.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert EVIL.encode() not in data
    assert "\\u202e" in page.said
    names = {key for _, key, _ in page.attributes}
    assert names.isdisjoint({"src", "href", "style", "onload", "onclick"})
    (policy,) = (
        value
        for tag, key, value in page.attributes
        if (tag, key) == ("meta", "content") and "default-src" in value
    )
    style = re.search(rb"<style>(.*?)</style>", data, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';"
        " form-action 'none'"
    )


def test_a_slip_of_a_whole_delivery_names_no_medium() -> None:
    """What is not known is left out, and not made up."""
    told = replace(made(), berth=None, code="", releases=())
    said = _Page(_rendered(told)).said
    assert "medium 2" not in said
    assert "must print" not in said
    assert "nothing new: an empty delivery" in said


def test_the_square_is_read_by_an_independent_reader() -> None:
    """A scanner of the other side's has to tell which delivery this is."""
    told = made()
    image = Image.open(io.BytesIO(qr.png(told.text)))
    (found,) = zxingcpp.read_barcodes(image)
    assert slip_code.decode(found.text) == SlipCode(
        site="plant7-north", sequence=42, dispatch=told.dispatch
    )


@given(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True),
    st.integers(1, 2**53 - 1),
    st.binary(max_size=8),
)
def test_a_code_reads_back_as_it_was_written(
    site: str, number: int, seed: bytes
) -> None:
    """Every site and number has a code of its own."""
    code = SlipCode(site=site, sequence=number, dispatch=sha256(seed))
    assert slip_code.decode(slip_code.encode(code)) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AIRLIFT-SLIP/2:PLANT7:1:" + "A" * 64,
        "AIRLIFT-SLIP/1:PLANT7:0:" + "A" * 64,
        "AIRLIFT-SLIP/1:PLANT7:1:" + "A" * 63,
        "AIRLIFT-SLIP/1:-PLANT7:1:" + "A" * 64,
        "AIRLIFT-SLIP/1:PLANT7:1:" + "a" * 64,
        "https://example.org",
    ],
)
def test_what_is_no_code_of_a_slip_is_refused(text: str) -> None:
    """A square may hold anything; only this is a delivery."""
    with pytest.raises(FormatError):
        slip_code.decode(text)
