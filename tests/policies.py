"""Site policies for tests, and approvals by the people they enrol."""

from collections.abc import Sequence

from airlift.artifact import ContentClass
from airlift.digest import Sha256
from airlift.trust import approval, policy
from airlift.trust.approval import Approval, Subject
from airlift.trust.plan import sound_quorum
from airlift.trust.policy import Policy
from authority import NOW, SITE, key

PLAIN = (ContentClass.DATA, ContentClass.PACKAGE, ContentClass.TEMPLATE)
PEOPLE = ("bob", "carol", "dora")


def made(
    version: int = 1,
    *,
    site: str = SITE,
    people: Sequence[str] = PEOPLE,
    threshold: int = 2,
    classes: tuple[ContentClass, ...] | None = PLAIN,
    **rules: object,
) -> Policy:
    """Return a policy that *people* approve exceptions of; *rules* as its fields."""
    keys = tuple(key(name).public for name in people)
    return Policy(
        site=site,
        version=version,
        issued=NOW,
        approvers=sound_quorum(keys, threshold, "approvers"),
        classes=classes,
        **rules,  # type: ignore[arg-type]
    )


def document(told: Policy) -> bytes:
    """Return the record of *told*."""
    return policy.encode(told)


def release(digest: Sha256, *, site: str = SITE) -> Subject:
    """Return a release as what is approved."""
    return Subject(site=site, what=approval.RELEASE, digest=digest)


def approved(name: str, subject: Subject, *, at: str = NOW, note: str = "") -> Approval:
    """Return the approval of *subject* by the key of *name*."""
    return approval.sign(key(name), subject, at=at, note=note)
