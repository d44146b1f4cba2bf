"""One person's approval of one thing: made with their key, counted by a policy.

It names what is approved by digest, so that the approval of one revision is none of
another; and the site, so that it is none at another. Who it is by is decided by the
key alone: the name in it has to be the one that the key is enrolled under.

Source: docs/format.md, "Approvals".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.errors import RequestError, TrustError
from airlift.format import canonical
from airlift.format.dispatch import is_time
from airlift.format.fields import Fields
from airlift.trust import public
from airlift.trust.keys import UnlockedKey
from airlift.trust.people import person
from airlift.trust.quorum import Quorum

FORMAT = "airlift/approval/1"
LIMIT = 64 << 10
RELEASE, LOCK, WAIVER, EXPIRED = "release", "lock", "waiver", "expired"
NOTE = 200
"""Most characters of a note."""

_HEX = re.compile(r"(?:[0-9a-f]{2}){1,8192}", re.ASCII)
_KEYS = ("format", "site", "what", "digest", "by", "key_id", "at", "note", "signature")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What can be approved.

    Attributes:
        site: The site it is approved for.
        what: ``release``, ``lock``, ``waiver``, or ``expired``: a delivery to be taken
            late.
        digest: The id of the release; SHA-256 of the lock's file, of the waiver, or of
            the dispatch record.
    """

    site: str
    what: str
    digest: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A signed approval; worth something only once ``valid`` has looked at it.

    Attributes:
        subject: What is approved.
        by: Who approves, as their key is enrolled.
        key_id: Their key.
        at: When, by their own clock.
        note: What they say.
        signature: Hexadecimal.
    """

    subject: Subject
    by: str
    key_id: Sha256
    at: str
    note: str
    signature: str


def sign(key: UnlockedKey, subject: Subject, *, at: str, note: str = "") -> Approval:
    """Return the approval of *subject* by the holder of *key*.

    Raises:
        RequestError: The note is too long or cannot be shown on one line.
    """
    if len(note) > NOTE or note != naming.show(note):
        problem = f"the note is longer than {NOTE} characters or not one line"
        raise RequestError(problem, hint="say it in fewer words")
    unsigned = Approval(
        subject=subject,
        by=key.public.name,
        key_id=key.public.key_id,
        at=at,
        note=note,
        signature="",
    )
    return replace(unsigned, signature=key.sign(_payload(unsigned)).hex())


def encode(approval: Approval) -> bytes:
    """Return the canonical bytes of *approval*."""
    return canonical.encode(table(approval))


def table(approval: Approval) -> dict[str, Json]:
    """Return *approval* as a record holds it."""
    return {**_signed(approval), "signature": approval.signature}


def _signed(approval: Approval) -> dict[str, Json]:
    subject = approval.subject
    return {
        "format": FORMAT,
        "site": subject.site,
        "what": subject.what,
        "digest": subject.digest,
        "by": approval.by,
        "key_id": approval.key_id,
        "at": approval.at,
        "note": approval.note,
    }


def _payload(approval: Approval) -> bytes:
    # The prefix keeps this from being anything else that the same key may sign: TUF
    # signs JSON objects, which begin with a brace.
    return FORMAT.encode() + b"\0" + canonical.encode(_signed(approval))


def decode(data: bytes, *, name: str = "approval") -> Approval:
    """Return the approval that canonical *data*, from outside, states.

    Raises:
        FormatError: It is not one this version understands.
    """
    return from_table(canonical.decode(data, name=name, limit=LIMIT), name=name)


def from_table(value: Json, *, name: str = "approval") -> Approval:
    """Return the approval that a decoded record states; as ``decode``."""
    top = Fields(value, record=name)
    top.exactly(*_KEYS)
    top.expect("format", FORMAT)
    if (what := top.text("what")) not in (RELEASE, LOCK, WAIVER, EXPIRED):
        top.refuse("what", f"has the unknown value `{naming.show(what)}`")
    if not naming.is_site(site := top.text("site")):
        top.refuse("site", f"is not a site name: `{naming.show(site)}`")
    if not is_time(at := top.text("at")):
        top.refuse("at", "is not `YYYY-MM-DDThh:mm:ssZ`")
    if problem := public.name_problem(by := top.text("by")):
        top.refuse("by", problem)
    note = top.text("note")
    if len(note) > NOTE or note != naming.show(note):
        top.refuse("note", f"is longer than {NOTE} characters or not one line")
    if not _HEX.fullmatch(signature := top.text("signature")):
        top.refuse("signature", "is not lower-case hexadecimal")
    return Approval(
        subject=Subject(site=site, what=what, digest=top.sha256("digest")),
        by=by,
        key_id=top.sha256("key_id"),
        at=at,
        note=note,
        signature=signature,
    )


def check(approval: Approval, subject: Subject, people: Quorum) -> None:
    """Return if *approval* is of *subject* and by one of *people*.

    Raises:
        TrustError: It is of something else, or for another site, by nobody enrolled,
            under another name than the key's, or its signature is not valid.
    """
    problem = _astray(approval.subject, subject) or _unsound(approval, people)
    if problem:
        problem = f"the approval by `{naming.show(approval.by)}` {problem}"
        raise TrustError(problem, hint="it does not count: have it approved again")


def _astray(found: Subject, wanted: Subject) -> str:
    if found.site != wanted.site:
        return f"is for site `{found.site}`, not `{wanted.site}`"
    if found != wanted:
        of = f"{found.what} {found.digest[:16]}"
        return f"is of {of}, not of {wanted.what} {wanted.digest[:16]}"
    return ""


def _unsound(approval: Approval, people: Quorum) -> str:
    key = people.by_id.get(approval.key_id)
    if key is None:
        return f"is by key {approval.key_id[:16]}, which is not enrolled to approve"
    if key.name != approval.by:
        return f"is by the key of `{naming.show(key.name)}`"
    if not key.verifies(bytes.fromhex(approval.signature), _payload(approval)):
        return "has a signature that is not valid"
    return ""


def counted(
    approvals: Iterable[Approval], subject: Subject, people: Quorum
) -> tuple[Approval, ...]:
    """Return the approvals of *subject* that count, one a person, the earliest first.

    Args:
        approvals: Of anything, by anybody.
        subject: What is to be approved.
        people: Who may approve it; a person with two keys counts once.
    """
    good: dict[str, Approval] = {}
    for one in approvals:
        try:
            check(one, subject, people)
        except TrustError:
            continue
        good.setdefault(person(one.by), one)
    return tuple(sorted(good.values(), key=lambda one: (one.at, one.key_id)))
