"""Approving a lock, on the connected side."""

from pathlib import Path

from airlift import naming
from airlift.cli import chosen_site, config, people
from airlift.errors import RequestError
from airlift.outbound import approvals
from airlift.trust import approval
from airlift.trust.approval import Approval
from airlift.trust.keys import UnlockedKey
from airlift.trust.publisher import Publisher


def approve(
    home: Path, lock: Path, said: tuple[str | None, str], key: UnlockedKey
) -> tuple[Approval, Path]:
    """Approve the file *lock* with *key*; return the approval and where it lies.

    Args:
        home: The connected side's home.
        lock: The lock.
        said: The site it is for, where there are several, and a note.
        key: Whose approval it is.

    Raises:
        RequestError: There is no such lock or site, or the same person approved it.
        TrustError: The key is not one whose approvals count.
        StoreError: The disk refuses.
    """
    publisher = Publisher.open(home / "trust")
    chosen = chosen_site.choose(publisher, said[0])
    wanted, known = approvals.subject(lock, chosen), people.who(publisher, chosen)
    given = approval.sign(key, wanted, at=config.now(), note=said[1])
    approval.check(given, wanted, known)
    for one in approval.counted(approvals.beside(lock), wanted, known):
        if one.key_id == given.key_id:
            problem = f"`{naming.show(one.by)}` approved it on {one.at} already"
            raise RequestError(problem, hint="somebody else has to approve it too")
    return given, approvals.keep(lock, given)
