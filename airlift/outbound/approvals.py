"""Approvals of a lock, which lie beside it: ``LOCK.KEY.approval``, a file a person.

A lock says to the byte what would leave, so who approves it has seen what they approve;
an export that asks for approvals takes nothing but a lock.
"""

from pathlib import Path

from airlift import naming
from airlift.digest import sha256
from airlift.errors import RequestError, TrustError
from airlift.store.durable import Disk, read_file
from airlift.trust import approval
from airlift.trust.approval import Approval, Subject
from airlift.trust.people import holders, person
from airlift.trust.quorum import Quorum

SUFFIX = ".approval"
_LOCK_LIMIT = 256 << 20


def subject(lock: Path, site: str) -> Subject:
    """Return what an approval of the file *lock* for *site* has to name.

    Raises:
        RequestError: The file is not there.
        StoreError: It cannot be read.
    """
    data = read_file(lock, limit=_LOCK_LIMIT, error=RequestError)
    return Subject(site=site, what=approval.LOCK, digest=sha256(data))


def keep(lock: Path, given: Approval) -> Path:
    """Write *given* beside *lock*, in the place of an earlier one by the same key.

    Raises:
        StoreError: The disk refuses.
    """
    path = lock.with_name(f"{lock.name}.{given.key_id[:16]}{SUFFIX}")
    Disk().write_file(path, approval.encode(given), mode=0o644)
    return path


def beside(lock: Path) -> tuple[Approval, ...]:
    """Return the approvals that lie beside *lock*; believed in no way.

    Raises:
        FormatError: One of them is not an approval.
        StoreError: One cannot be read.
    """
    return tuple(
        approval.decode(read_file(path, limit=approval.LIMIT), name=path.name)
        for path in sorted(lock.parent.iterdir())
        if path.name.startswith(f"{lock.name}.") and path.name.endswith(SUFFIX)
    )


def require(lock: Path, site: str, people: Quorum, *, count: int) -> None:
    """Return if at least *count* of *people* have approved *lock* for *site*.

    Raises:
        TrustError: Fewer have; says who could, and what was wrong with what lies there.
        RequestError: More are asked for than there are people.
        FormatError: A file beside it is not an approval.
        StoreError: A file cannot be read.
    """
    if count > (able := len(holders(people.keys))):
        problem = f"{count} approvals are asked for, {able} people may approve"
        raise RequestError(problem, hint="enrol more people, or ask for fewer")
    wanted, given = subject(lock, site), beside(lock)
    counted = approval.counted(given, wanted, people)
    if len(counted) >= count:
        return
    flaws = [flaw for one in given if (flaw := _flaw(one, wanted, people))]
    done = {person(one.by) for one in counted}
    left = {key.name: None for key in people.keys if person(key.name) not in done}
    could = [naming.show(name) for name in left]
    problem = (
        f"{naming.show(lock.name)} is approved by {len(counted)} of {count};"
        f" {', '.join(could)} could"
    )
    hint = f"`airlift approve {naming.show(str(lock))} --site {site} --key NAME`"
    raise TrustError("; ".join([problem, *flaws]), hint=hint)


def _flaw(one: Approval, wanted: Subject, people: Quorum) -> str:
    try:
        approval.check(one, wanted, people)
    except TrustError as error:
        return error.problem
    return ""
