"""What a site's policy lets go live, and what of the rest has been approved.

The law: no generation gains a release that the policy in force does not allow and
that too few people have approved. ``check`` stands where generations are made, so no
command has to think of it. Without a policy everything may go live, as the commands say.

Approvals are lines of the log. They are verified anew whenever they are counted, by
the keys that are enrolled then: who can write the database cannot approve.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, select

from airlift import naming
from airlift.artifact import ContentClass, Json, Kind
from airlift.digest import Sha256
from airlift.errors import AirliftError, TrustError
from airlift.registry import denying, rows, schema
from airlift.registry.held import Event, Hold
from airlift.trust import approval, policy, rules
from airlift.trust.approval import Approval, Subject
from airlift.trust.policy import Policy
from airlift.trust.rules import Traits

APPROVE = "approve"
"""The action under which the log has approvals; ``approval`` of the detail is one."""
_LISTED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a release stands with the policy in force.

    Attributes:
        label: The release, for a person.
        objections: Why it does not go live by itself; empty where it may.
        approvals: Those that count, the earliest first.
        needed: How many it needs.
        could: Who of those enrolled has not approved it.
    """

    label: str
    objections: tuple[str, ...]
    approvals: tuple[Approval, ...]
    needed: int
    could: tuple[str, ...]

    @property
    def cleared(self) -> bool:
        """Whether it may go live."""
        return not self.objections or len(self.approvals) >= self.needed

    @property
    def lacking(self) -> str:
        """What it waits for, in words; empty when it waits for nothing."""
        if self.cleared:
            return ""
        short = self.needed - len(self.approvals)
        names = ", ".join(naming.show(one) for one in self.could)
        return (
            f"{'; '.join(self.objections)}; approved by {len(self.approvals)} of"
            f" {self.needed}, {short} more of {names} needed"
        )


def in_force(connection: Connection) -> Policy | None:
    """Return the policy in force; None where the site has none.

    Of its approvers those whose keys are denied count no longer.
    """
    table = schema.setting
    query = select(table.c.value).where(table.c.key == "policy")
    found = connection.execute(query).scalar_one_or_none()
    if not found:
        return None
    told = policy.decode(bytes(found), name="the policy in force")
    return replace(told, approvers=denying.in_force(connection).without(told.approvers))


def check(connection: Connection, numbers: Collection[int]) -> None:
    """Return if the releases in these rows may go live.

    Raises:
        TrustError: Some may not; says why and who has still to approve them.
    """
    if not numbers or (told := in_force(connection)) is None:
        return
    waiting = [
        one for one in standings(connection, numbers, told).values() if not one.cleared
    ]
    if waiting:
        shown = [f"{one.label}: {one.lacking}" for one in waiting[:_LISTED]]
        more = len(waiting) - len(shown)
        rest = f", and {more} more" if more else ""
        problem = f"policy {told.version} keeps back {', '.join(shown)}{rest}"
        hint = "`airlift approve RELEASE` by each of them, then activate it again"
        raise TrustError(problem, hint=hint)


def standings(
    connection: Connection, numbers: Iterable[int], told: Policy
) -> dict[Sha256, Standing]:
    """Return where the releases in these rows stand with the policy *told*."""
    everything = approvals(connection)
    unsound = _unsound(connection)
    found: dict[Sha256, Standing] = {}
    for some in rows.batches(sorted(numbers)):
        for release_id, (label, traits) in _traits(connection, some).items():
            odd = unsound.get(release_id)
            found[release_id] = standing(
                label,
                (*rules.objections(told, traits), *([odd] if odd else [])),
                (
                    told,
                    Subject(site=told.site, what=approval.RELEASE, digest=release_id),
                ),
                everything,
            )
    return found


def standing(
    label: str,
    objections: tuple[str, ...],
    asked: tuple[Policy, Subject],
    given: Iterable[Approval],
) -> Standing:
    """Return where a release stands.

    Args:
        label: The release, for a person.
        objections: Why it does not go live by itself.
        asked: Under which policy, and what is to be approved.
        given: Approvals of anything.
    """
    told, subject = asked
    counted = approval.counted(given, subject, told.approvers) if objections else ()
    done = {one.key_id for one in counted}
    could = (key.name for key in told.approvers.keys if key.key_id not in done)
    return Standing(
        label=label,
        objections=objections,
        approvals=counted,
        needed=told.approvers.threshold,
        could=tuple(sorted(could)),
    )


def approvals(connection: Connection) -> tuple[Approval, ...]:
    """Return every approval in the log, as it stands there and believed in no way."""
    return told_in(rows.events(connection, action=APPROVE))


def told_in(events: Iterable[Event]) -> tuple[Approval, ...]:
    """Return every approval among lines of the log; as ``approvals``."""
    found = []
    for event in events:
        if (event.action, event.outcome) != (APPROVE, "done"):
            continue
        try:
            found.append(approval.from_table(event.detail.get("approval")))
        except AirliftError:
            continue  # not one that this version wrote; it counts for nothing
    return tuple(found)


def holds(connection: Connection) -> dict[Sha256, str]:
    """Return why releases were kept back when they were last imported."""
    return _told(connection, "why")


def _unsound(connection: Connection) -> dict[Sha256, str]:
    """Return what was wrong with the bytes of releases when they were imported."""
    return _told(connection, "odd")


def _told(connection: Connection, key: str) -> dict[Sha256, str]:
    found: dict[Sha256, str] = {}
    for event in rows.events(connection, action="import"):
        held = event.detail.get("held")
        for entry in held if isinstance(held, list | tuple) else ():
            if isinstance(entry, Mapping) and entry.get(key):
                found[Sha256(str(entry.get("id")))] = str(entry[key])
    return found


def as_detail(held: Mapping[Sha256, Hold]) -> Json:
    """Return what the log says of releases that were kept back at their import."""
    return [
        {
            "id": one,
            "by": held[one].by,
            "why": held[one].why,
            "odd": held[one].odd,
        }
        for one in sorted(held)
    ]


def _traits(
    connection: Connection, numbers: Collection[int]
) -> dict[Sha256, tuple[str, Traits]]:
    release, delivery = schema.release, schema.delivery
    query = (
        select(release, delivery.c.issued)
        .join(delivery, delivery.c.sequence == release.c.delivery)
        .where(release.c.number.in_(numbers))
    )
    classes, largest = _files(connection, numbers)
    return {
        row.id: (
            f"{row.kind}:{naming.show(row.name)}@{naming.show(row.revision[:12])}",
            _row_traits(row, classes[row.number], largest.get(row.number, 0)),
        )
        for row in connection.execute(query)
    }


def _row_traits(
    row: Row[Any], classes: Mapping[ContentClass, str], largest: int
) -> Traits:
    return Traits(
        kind=Kind(row.kind),
        licence=row.header.get("licence", ""),
        size=row.size,
        largest=largest,
        classes=classes,
        issued=row.issued,
        imported=row.imported,
    )


def _files(
    connection: Connection, numbers: Collection[int]
) -> tuple[dict[int, dict[ContentClass, str]], dict[int, int]]:
    file = schema.file
    query = (
        select(
            file.c.release,
            file.c.content_class,
            func.min(file.c.path).label("path"),
            func.max(file.c.size).label("largest"),
        )
        .where(file.c.release.in_(numbers))
        .group_by(file.c.release, file.c.content_class)
    )
    classes: dict[int, dict[ContentClass, str]] = defaultdict(dict)
    largest: dict[int, int] = {}
    for row in connection.execute(query):
        classes[row.release][ContentClass(row.content_class)] = row.path
        largest[row.release] = max(largest.get(row.release, 0), row.largest)
    return classes, largest
