"""Times as people write them: ``90``, ``90s``, ``15m``, ``12h``, ``5d``."""

import re

import click

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"(\d{1,9})\s*([smhd]?)", re.ASCII)


class Duration(click.ParamType[int]):
    """Seconds on the command line."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the seconds."""
        if isinstance(value, int):
            return value
        match = _SPAN.fullmatch(str(value).strip().lower())
        if not match:
            self.fail(f"`{value}` is no time; give 90s, 15m, 12h, 5d, say")
        return int(match[1]) * _UNITS[match[2]]
