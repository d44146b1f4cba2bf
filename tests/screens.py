"""What a terminal shows, as a picture."""

from collections.abc import Sequence

from PIL import Image

_BLOCKS = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}


def drawn(lines: Sequence[str]) -> Image.Image:
    """Return what a terminal shows of *lines*, light on dark, eight dots a module."""
    image = Image.new("L", (len(lines[0]), 2 * len(lines)))
    for y, line in enumerate(lines):
        for x, block in enumerate(line):
            for half, dark in enumerate(_BLOCKS[block]):
                image.putpixel((x, 2 * y + half), 0 if dark else 255)
    return image.resize((8 * image.width, 8 * image.height), Image.Resampling.NEAREST)
