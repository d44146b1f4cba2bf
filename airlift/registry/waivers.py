"""Findings of an audit that were accepted for a while: lines of the log.

No table: who accepted what, and until when, is a fact about a day, and the log is where
facts are. Where the site has a policy, a waiver counts once as many of its approvers have
signed it as approve a release; they are verified anew whenever waivers are read, by the
keys that are enrolled then: who can write the database cannot waive.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError, RequestError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.registry.held import Event
from airlift.trust import approval, clock
from airlift.trust.approval import Approval, Subject
from airlift.trust.policy import Policy

ACTION: Final = "waive"
REVOKED: Final = "revoked"
"""The outcome of the line that takes waivers of a finding back."""
FORMAT: Final = "airlift/waiver/1"
MOST_DAYS: Final = 366
"""Days a waiver may last: what is accepted for ever is looked at by nobody again."""
REASON: Final = 500
"""Most characters of a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is accepted; what approvers sign.

    Attributes:
        site: Where.
        finding: Id of the finding.
        reason: Why, in one line.
        until: The last day it counts, ``YYYY-MM-DD``.
    """

    site: str
    finding: str
    reason: str
    until: str

    @property
    def digest(self) -> Sha256:
        """What names them in an approval."""
        return sha256(canonical.encode({"format": FORMAT, **self.table()}))

    def table(self) -> dict[str, Json]:
        """Return them as the log holds them."""
        return {
            "site": self.site,
            "finding": self.finding,
            "reason": self.reason,
            "until": self.until,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A waiver as it stands.

    Attributes:
        terms: What is accepted.
        title: The finding, in the words of the day it was accepted.
        by: Who accepted it, the earliest first.
        since: From when on it counts; empty while too few have signed it.
        lacking: How many more must sign it.
        revoked: When it was taken back; empty while it was not.
    """

    terms: Terms
    title: str
    by: tuple[str, ...]
    since: str
    lacking: int = 0
    revoked: str = ""


def check(terms: Terms, *, now: str) -> None:
    """Return if *terms* can be accepted at the time *now*.

    Raises:
        RequestError: The reason is missing, long or no one line, or the day is past, or
            further away than a waiver may last.
    """
    if not terms.reason or len(terms.reason) > REASON:
        problem = f"the reason is empty or longer than {REASON} characters"
        raise RequestError(problem, hint="say why the risk is borne, in one line")
    if terms.reason != naming.show(terms.reason):
        problem = "the reason is not one line of plain text"
        raise RequestError(problem, hint="say it without control characters")
    try:
        days = clock.days_from(f"{now[:10]}T00:00:00Z", f"{terms.until}T00:00:00Z")
    except AirliftError as error:
        problem = f"`{naming.show(terms.until)}` is no day"
        raise RequestError(problem, hint="give --until YYYY-MM-DD") from error
    if not 0 <= days <= MOST_DAYS:
        problem = (
            f"{terms.until} is {days} days from today; a waiver lasts 0 to {MOST_DAYS}"
        )
        raise RequestError(
            problem, hint="give an earlier day, and look at it again then"
        )


def event(  # noqa: PLR0913 - what the log keeps, all by name
    terms: Terms,
    signed: Approval | None,
    *,
    by: str,
    title: str,
    actor: str,
    now: str,
) -> Event:
    """Return the line of the log that accepts a finding.

    Args:
        terms: What is accepted.
        signed: The approver's signature; None where the site has no policy.
        by: Who accepts it.
        title: The finding, for who reads the log.
        actor: Who runs the command.
        now: The clock.
    """
    detail: dict[str, Json] = {"waiver": terms.table(), "by": by, "title": title}
    if signed is not None:
        detail["approval"] = approval.table(signed)
    return Event(
        time=now, actor=actor, action=ACTION, subject=terms.finding, detail=detail
    )


def revocation(finding: str, *, by: str, actor: str, now: str) -> Event:
    """Return the line of the log that takes the waivers of a finding back."""
    return Event(
        time=now,
        actor=actor,
        action=ACTION,
        subject=finding,
        outcome=REVOKED,
        detail={"by": by},
    )


def subject(terms: Terms) -> Subject:
    """Return *terms* as what is approved."""
    return Subject(site=terms.site, what=approval.WAIVER, digest=terms.digest)


def told_by(
    events: Iterable[Event], told: Policy | None, site: str
) -> tuple[Given, ...]:
    """Return the waivers among *events*, the earliest first.

    Args:
        events: The log, oldest first.
        told: The policy in force; None where the site has none.
        site: Whose log it is.
    """
    lines: dict[Sha256, list[Event]] = {}
    terms: dict[Sha256, Terms] = {}
    revoked: dict[Sha256, str] = {}
    for one in events:
        if one.action != ACTION:
            continue
        if one.outcome == REVOKED:
            of = (key for key, each in terms.items() if each.finding == one.subject)
            revoked = {**dict.fromkeys(of, one.time), **revoked}
            continue
        found = _terms(one.detail)
        if found is not None and found.site == site:
            # Accepted anew, in the same words: what went before it is over.
            if revoked.pop(found.digest, ""):
                lines[found.digest] = []
            terms[found.digest] = found
            lines.setdefault(found.digest, []).append(one)
    return tuple(
        _given(terms[key], some, told, revoked.get(key, ""))
        for key, some in lines.items()
    )


def _terms(detail: Mapping[str, Json]) -> Terms | None:
    try:
        table = Fields(detail.get("waiver"), record="waiver")
        table.exactly("site", "finding", "reason", "until")
        return Terms(
            site=table.text("site"),
            finding=table.text("finding"),
            reason=table.text("reason"),
            until=table.text("until"),
        )
    except AirliftError:
        return None  # of a later airlift; it counts for nothing


def _given(
    terms: Terms, lines: list[Event], told: Policy | None, revoked: str
) -> Given:
    title = str(lines[-1].detail.get("title", ""))
    if told is None:
        by = tuple(str(one.detail.get("by", "")) for one in lines)
        return Given(
            terms=terms, title=title, by=by, since=lines[0].time, revoked=revoked
        )
    counted: tuple[Approval, ...] = ()
    since = ""
    for at, one in enumerate(lines, 1):
        given = [found for each in lines[:at] if (found := _signed(each))]
        counted = approval.counted(given, subject(terms), told.approvers)
        if len(counted) >= told.approvers.threshold and not since:
            since = one.time
    return Given(
        terms=terms,
        title=title,
        by=tuple(one.by for one in counted),
        since=since,
        lacking=max(0, told.approvers.threshold - len(counted)),
        revoked=revoked,
    )


def _signed(line: Event) -> Approval | None:
    try:
        return approval.from_table(line.detail.get("approval"))
    except AirliftError:
        return None
