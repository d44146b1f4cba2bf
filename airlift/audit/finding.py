"""What an audit found: about what, how bad, on what evidence, and what puts it right."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from airlift.artifact import NOTHING, Json
from airlift.digest import sha256
from airlift.format import canonical

ID_DIGITS: Final = 16
"""Of a finding's id: two of a billion findings share one with chance 1 in 37."""


class Severity(StrEnum):
    """How bad a finding is; the worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Its place among them, 0 for the worst; to sort by."""
        return list(Severity).index(self)

    def reaches(self, least: "Severity") -> bool:
        """Say whether it is at least as bad as *least*."""
        return self.rank <= least.rank


class Verdict(StrEnum):
    """What an answer comes to."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FINDING = "finding"
    UNKNOWN = "unknown"
    """It could not be answered, or not wholly; never to be read as good."""
    ACCEPTED = "accepted"
    """All that was found is covered by waivers that have not expired."""


class About(StrEnum):
    """What sort of thing a finding is about."""

    MODEL = "model"
    FILE = "file"
    WHEEL = "wheel"
    RUNTIME = "runtime"
    KEY = "key"
    DELIVERY = "delivery"
    LOG = "log"
    HOST = "host"
    KNOWLEDGE = "knowledge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a finding is about.

    Attributes:
        kind: What sort of thing; one of ``About``.
        name: As people call it.
        version: A revision or version; may be empty.
        digest: SHA-256, where one names it; may be empty.
        purl: Its package URL, where it has one; may be empty.
        hosts: Labels of the hosts that were seen to hold it.
    """

    kind: str
    name: str
    version: str = ""
    digest: str = ""
    purl: str = ""
    hosts: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What tells it apart in every run: its purl, digest or name."""
        return self.purl or self.digest or f"{self.kind}:{self.name}"

    @property
    def label(self) -> str:
        """It, for a person."""
        return f"{self.name}@{self.version[:12]}" if self.version else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What would put a finding right.

    Attributes:
        to: The version or revision to move to.
        delta_bytes: What carrying it takes; None where nobody knows.
        in_catalogue: Whether the newest catalogue has it, so that it can be asked for.
    """

    to: str
    delta_bytes: int | None = None
    in_catalogue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """That somebody accepted a finding for a while.

    Attributes:
        finding: Id of the finding.
        by: Who accepted it.
        reason: Why.
        until: The last day it counts, ``YYYY-MM-DD``.
        given: When, ``YYYY-MM-DDThh:mm:ssZ``.
    """

    finding: str
    by: str
    reason: str
    until: str
    given: str

    def counts(self, at: str) -> bool:
        """Say whether it counts at the time *at*; never before it was given."""
        return self.given <= at and at[:10] <= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing somebody should know.

    Attributes:
        kind: The family of rules, as ``vulnerability``.
        rule: Which of them: an advisory's id, or a name.
        severity: How bad.
        subject: About what.
        title: In one line, for a person; names from outside as they are.
        evidence: What it rests on. Decimals are text: records hold no floats.
        fix: What would put it right; None where nothing is known to.
        arrived_in: Number of the delivery that brought the subject; may be empty.
        controls: Controls that ask for it, as ``SI-2``.
        waiver: What accepts it; set by ``report.run`` and by nobody else.
    """

    kind: str
    rule: str
    severity: Severity
    subject: Subject
    title: str
    evidence: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    fix: Fix | None = None
    arrived_in: str = ""
    controls: tuple[str, ...] = ()
    waiver: Waiver | None = None

    @property
    def id(self) -> str:
        """16 hexadecimal digits that are the same in every run.

        Of what it is about and of the rule alone: a better title, other evidence or
        another severity leave it, and so its waivers and history, as it was.
        """
        parts = (self.kind, self.subject.identity, self.rule)
        return sha256(canonical.encode(parts))[:ID_DIGITS]

    @property
    def verdict(self) -> Verdict:
        """``finding``, or ``accepted`` where a waiver covers it."""
        return Verdict.ACCEPTED if self.waiver else Verdict.FINDING

    @property
    def order(self) -> tuple[int, str, str, str]:
        """What people read findings by: open ones and bad ones first."""
        waived = "1" if self.waiver else "0"
        return self.severity.rank, waived, self.subject.name, self.id

    def accepted(self, waiver: Waiver) -> "Finding":
        """Return this finding as *waiver* accepts it."""
        return replace(self, waiver=waiver)
