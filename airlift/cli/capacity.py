"""Sizes as people write them: ``4GiB``, ``700MB``, ``fat32``, or plain bytes."""

import re

import click

from airlift.cli import output
from airlift.format.volume import MEDIA

_UNITS = {"": 1, "b": 1} | {
    f"{prefix}{suffix}b": base**power
    for power, prefix in enumerate("kmgt", 1)
    for suffix, base in (("", 1000), ("i", 1024))
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.ASCII)


def parse(text: str) -> int | None:
    """Return the bytes that *text* means; None when it means none."""
    if text.lower() in MEDIA:
        return MEDIA[text.lower()]
    match = _SIZE.fullmatch(text.strip().lower())
    if not match or match[2] not in _UNITS:
        return None
    whole, _, fraction = match[1].partition(".")
    scaled = int(whole + fraction) * int(_UNITS[match[2]])
    return scaled // int(10 ** len(fraction))


class Capacity(click.ParamType[int]):
    """A volume size on the command line."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the size in bytes."""
        if isinstance(value, int):
            return value
        found = parse(str(value))
        if not found:
            presets = ", ".join(
                f"{name} ({output.size(n)})" for name, n in MEDIA.items()
            )
            self.fail(
                f"`{value}` is no size; give 4GiB, 700MB, bytes, or one of {presets}"
            )
        return found
