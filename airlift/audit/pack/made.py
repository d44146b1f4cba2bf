"""An audit that was run, as every form of it needs it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from airlift.audit import report
from airlift.audit.finding import Severity
from airlift.audit.report import Report
from airlift.audit.site import Site
from airlift.digest import sha256

Told: TypeAlias = dict[str, Any]
"""A report, or a part of one, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A report, whose site is open, and what it comes to.

    Attributes:
        report: It.
        fail_on: Least severity that is worth exit code 10; None for none.
        earlier: Reports recorded at this site before, the oldest first.
    """

    report: Report
    fail_on: Severity | None = Severity.HIGH
    earlier: tuple[Told, ...] = ()

    @property
    def site(self) -> Site:
        """The site that was asked."""
        return self.report.site

    @cached_property
    def encoded(self) -> bytes:
        """``report.json``."""
        return report.encode(self.report, self.fail_on)

    @cached_property
    def told(self) -> Told:
        """The same, read."""
        found: Told = json.loads(self.encoded)
        return found

    @property
    def run_id(self) -> str:
        """16 digits that name the report."""
        return str(self.told["run_id"])

    @property
    def name(self) -> str:
        """What a file or folder of it is called, without ending."""
        return f"airlift-audit-{self.site.trust.site}-{self.run_id}"

    @property
    def time(self) -> str:
        """The time that everything made of it states; never another clock."""
        return self.site.now

    def serial(self, form: str) -> str:
        """Return a UUID that names this report in *form*, the same every time.

        Source: RFC 9562 section 5.8 (version 8: bits of a digest).
        """
        digits = list(sha256(f"{form}\0{self.run_id}".encode())[:32])
        digits[12], digits[16] = "8", "89ab"[int(digits[16], 16) % 4]
        text = "".join(digits)
        parts = (text[:8], text[8:12], text[12:16], text[16:20], text[20:])
        return "-".join(parts)

    def rows(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of the question called *name*; none where it was not asked."""
        for one in self.told["questions"]:
            if one["name"] == name:
                yield from one["rows"]
