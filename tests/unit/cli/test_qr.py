"""QR codes, read by a reader that is not ours."""

import io

import pytest
import zxingcpp
from PIL import Image

from airlift.cli import qr, request_page
from airlift.errors import RequestError
from airlift.format import typed
from airlift.format.request import LABEL
from screens import drawn

SEALED = bytes(range(137))
TEXT = typed.plain(SEALED, LABEL)


def read(image: Image.Image) -> zxingcpp.Barcode:
    """Return the one code that is in *image*."""
    (found,) = zxingcpp.read_barcodes(image)
    return found


def test_a_request_comes_back_from_a_picture_byte_for_byte() -> None:
    """Printed, photographed or shown: the bytes that were signed are what is read."""
    found = read(Image.open(io.BytesIO(qr.png(TEXT))))
    assert found.text == TEXT
    assert typed.read(found.text, LABEL, name="it") == SEALED
    assert str(found.ec_level) == "M"


def test_a_terminal_shows_what_a_reader_reads() -> None:
    """The shortest way out: a telephone in front of the screen."""
    lines = qr.terminal(TEXT).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= 80
    assert typed.read(read(drawn(lines)).text, LABEL, name="it") == SEALED


def test_a_dirty_code_is_still_read() -> None:
    """Fifteen in a hundred parts may be lost."""
    image = Image.open(io.BytesIO(qr.png(TEXT))).convert("L")
    middle, blot = image.width // 2, image.width // 5
    image.paste(0, (middle, middle, middle + blot, middle + blot))
    assert read(image).text == TEXT


def test_two_hundred_and_fifty_six_bytes_fit_a_terminal() -> None:
    """A padded request is the largest that is shown often."""
    text = typed.plain(bytes(256), LABEL)
    lines = qr.terminal(text).splitlines()
    assert (len(lines[0]), len(lines)) == (77, 39)
    assert read(drawn(lines)).text == text


def test_the_page_holds_nothing_from_elsewhere() -> None:
    """It is opened on hosts that must reach nothing, and printed."""
    page = request_page.page("Request 3", ["a <b> & c"], SEALED).decode()
    assert "a &lt;b&gt; &amp; c" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    for strange in ("http:", "https:", "<script", "url(", 'src="', "href"):
        assert strange not in page.replace("http://www.w3.org/2000/svg", "")
    for line in typed.lines(SEALED, LABEL):
        assert line in page


def test_too_much_for_a_code_is_refused() -> None:
    """Instead of a code that nobody reads."""
    with pytest.raises(RequestError, match="are too many for a QR code"):
        qr.png(typed.plain(bytes(3000), LABEL))
