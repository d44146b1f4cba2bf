"""Who may approve what leaves for a site, and how many of them must."""

from pathlib import Path

from airlift.artifact import Pinned
from airlift.cli.wanted import Wanted
from airlift.errors import RequestError
from airlift.outbound import approvals
from airlift.trust import metadata, policy, strict
from airlift.trust.publisher import Publisher
from airlift.trust.quorum import Quorum


def who(publisher: Publisher, site: str) -> Quorum:
    """Return the people whose approvals count for what leaves for *site*.

    Those that its policy enrols; without a policy, the release approvers of the root.
    """
    listed = publisher.denials()
    if data := publisher.policy(site):
        return listed.without(policy.decode(data).approvers)
    root = strict.root(publisher.root_bytes(), name="root").body
    return listed.without(root.roles[metadata.TARGETS])


def cleared(
    publisher: Publisher,
    site: str,
    path: Path | None,
    found: Wanted | None,
    *,
    asked: int,
) -> tuple[Pinned, ...]:
    """Return what is to be exported, which enough people have approved.

    Args:
        publisher: The signing side.
        site: Whom it is for.
        path: The manifest or lock; None for an earlier delivery written again, which
            was approved when it was made.
        found: What it asks for.
        asked: How many approvals the command line asks for; the policy may ask for more.

    Raises:
        RequestError: It is not a lock, and so nothing that could be approved.
        TrustError: Too few have approved it.
    """
    if path is None or found is None:
        return ()
    count = _needed(publisher, site, asked)
    if count and not found.locked:
        problem = f"{count} approvals are needed, and only a lock can be approved"
        hint = f"`airlift lock {path}`, have the lock approved, then export it"
        raise RequestError(problem, hint=hint)
    if count:
        approvals.require(path, site, who(publisher, site), count=count)
    return found.pinned


def refuse_unapproved(
    publisher: Publisher, site: str, path: Path | None, *, asked: int
) -> None:
    """Refuse to export what nobody could approve: what a request asks for, unseen.

    Args:
        publisher: The signing side.
        site: Whom it is for.
        path: The lock of the request, which ``cleared`` looks at; None without one.
        asked: As for ``cleared``.

    Raises:
        RequestError: Approvals are needed, and there is no lock.
    """
    if path is None and (count := _needed(publisher, site, asked)):
        problem = f"{count} approvals are needed, and only a lock can be approved"
        hint = "`airlift request lock` makes one of a request"
        raise RequestError(problem, hint=hint)


def _needed(publisher: Publisher, site: str, asked: int) -> int:
    data = publisher.policy(site)
    return max(asked, policy.decode(data).departures if data else 0)
