"""The answer to one question."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from airlift.artifact import NOTHING, Json
from airlift.audit.finding import Finding, Severity, Verdict
from airlift.digest import is_sha256
from airlift.progress import Progress, Silent

_DIGITS: Final = 4
"""Fewest digits that name a digest, as everywhere in airlift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How any question is asked.

    Attributes:
        items: Names, ids or digests to which the answer is narrowed; none for all.
        progress: Where long work is shown.
    """

    items: tuple[str, ...] = ()
    progress: Progress = field(default_factory=Silent)

    def wants(self, *names: str) -> bool:
        """Say whether what has these *names* and digests is asked about."""
        return not self.items or any(_means(one, names) for one in self.items)

    def absent(self, known: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        """Return, as ``Answer.unknown`` has it, each item that means none of *known*.

        A name that was mistyped must not be answered with an empty table.
        """
        listed = list(known)
        return tuple(
            f"{one}: nothing of that name is held"
            for one in self.items
            if not any(_means(one, names) for names in listed)
        )


def _means(item: str, names: tuple[str, ...]) -> bool:
    starts = len(item) >= _DIGITS and all(c in "0123456789abcdef" for c in item)
    return any(
        item == one or (starts and is_sha256(one) and one.startswith(item))
        for one in names
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known about one question, and how that is known.

    Attributes:
        question: Its id, as ``Q3``.
        as_of: The time of what it rests on, by its producer's word; empty for nothing.
        columns: Keys of *rows*, in the order they are shown.
        rows: The table of the subcommand.
        findings: In any order.
        unknown: What could not be answered, by name, each with its reason.
        reason: Why the whole could not be answered; empty where it could.
        counts: What was looked at, by name.
        broken: Whether integrity is gone: served bytes differ, or a signature or the
            log is not valid.
        failed: Exit code of the error that ended it; 0 where none did.
        scanners: ``name``, ``version`` and ``rules`` of each scanner it rests on.
        coverage: How many bytes and files were hashed, of how many, and when.
    """

    question: str
    as_of: str
    columns: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Json], ...] = ()
    findings: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    reason: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    broken: bool = False
    failed: int = 0
    scanners: tuple[Mapping[str, Json], ...] = ()
    coverage: Mapping[str, Json] = field(default_factory=lambda: NOTHING)

    @property
    def verdict(self) -> Verdict:
        """What it comes to.

        ``unknown`` outweighs findings: who reads "two findings" must not take them for
        the whole list. Broken integrity outweighs both.
        """
        if self.broken:
            return Verdict.FINDING
        if self.reason or self.unknown or self.failed:
            return Verdict.UNKNOWN
        if any(one.verdict is Verdict.FINDING for one in self.findings):
            return Verdict.FINDING
        return Verdict.ACCEPTED if self.findings else Verdict.PASS

    @property
    def why(self) -> str:
        """Why the verdict is ``unknown``, in a line; empty where it is another."""
        if self.verdict is not Verdict.UNKNOWN:
            return ""
        if self.reason or not self.unknown:
            return self.reason
        more = len(self.unknown) - 1
        return self.unknown[0] + (f", and {more} more" if more else "")

    @property
    def severities(self) -> Mapping[Severity, int]:
        """How many findings no waiver covers, by severity, the worst first."""
        found = Counter(one.severity for one in self.findings if one.waiver is None)
        return {one: found[one] for one in Severity if found[one]}
