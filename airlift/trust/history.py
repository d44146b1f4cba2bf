"""Where a delivery stands among those a site has: next, again, too old, forked."""

from airlift.artifact import Kind
from airlift.digest import Sha256
from airlift.errors import TrustError
from airlift.format.dispatch import HISTORY, Dispatch, Earlier
from airlift.trust.delivery import TrustState, VerifiedRelease
from airlift.trust.metadata_set import MetadataSet

JUMP = 10_000
"""Most a version or sequence may rise at once.

A thief of a key who raised it to the largest number could otherwise stop every later
update; what fits below this is recovered from by replacing the key.
"""
FORKED = "stop, and ask whoever signs which of the two is theirs"


def is_repeat(state: TrustState, sequence: int, digest: Sha256) -> bool:
    """Say whether the site has imported this very delivery.

    Args:
        state: What the site knows.
        sequence: As the record's name claims it.
        digest: SHA-256 of the record's bytes.

    Raises:
        TrustError: It is older than the newest the site has, and not the one it has
            or not one it remembers.
    """
    if sequence < state.least:
        problem = (
            f"delivery {sequence} is older than delivery {state.least}, the oldest that"
            " this site takes since it was set up"
        )
        raise TrustError(problem, hint="ask for a newer delivery")
    if (known := _known(state).get(sequence)) == digest:
        return True
    newest = max(_known(state), default=0)
    if sequence >= newest:
        return False
    problem = (
        f"delivery {sequence} is older than delivery {newest}, which this site has"
    )
    hint = f"import the deliveries after {newest} only"
    if known:
        problem += f", and is not the delivery {sequence} it imported"
        hint = "copy it again; if it stays so, its sender's history is forked"
    raise TrustError(problem, hint=hint)


def missed(state: TrustState, record: Dispatch) -> tuple[int, ...]:
    """Return the sequence numbers between the newest delivery and *record*.

    Raises:
        TrustError: *record*'s past is not this site's past, or it jumps too far.
    """
    known = _known(state)
    newest = max(known, default=0)
    if record.sequence == newest:
        problem = f"there are two deliveries {newest}: a forked history"
        raise TrustError(problem, hint=FORKED)
    for one in record.earlier:
        if known.get(one.sequence, one.sha256) != one.sha256:
            problem = (
                f"delivery {record.sequence} follows another delivery {one.sequence}"
                " than the one this site imported: a forked history"
            )
            raise TrustError(problem, hint=FORKED)
    if known:
        _check_jump("the delivery's sequence", newest, record.sequence)
    # A fresh site hears of the latest of all that was sent before, not of a million.
    first = max(newest + 1, record.sequence - JUMP)
    return tuple(range(first, record.sequence))


def check_jumps(trusted: MetadataSet, offered: MetadataSet) -> None:
    """Check that no version rises too far above the *trusted* one.

    Raises:
        TrustError: One does.
    """
    before = {role: one.body.version for role, one in trusted.documents()}
    for role, document in offered.documents():
        if role in before:
            _check_jump(f"the version of `{role}`", before[role], document.body.version)


def counters(
    state: TrustState, releases: tuple[VerifiedRelease, ...]
) -> tuple[dict[tuple[Kind, str], int], dict[tuple[Kind, str], Sha256]]:
    """Return the highest counters once *releases* are in, and whose they are.

    Raises:
        TrustError: A release is older than one the site has, or a second one of the
            same number.
    """
    highest, heads = dict(state.counters), dict(state.heads)
    for one in sorted(releases, key=lambda each: each.release.counter):
        release = one.release
        key = (release.kind, release.name)
        label = f"release {release.counter} of {release.kind} `{release.name}`"
        if release.counter < state.counters.get(key, 0):
            problem = f"{label} is older than release {state.counters[key]} held here"
            raise TrustError(problem, hint="ask for the newest release of it")
        if release.counter == highest.get(key) and heads.get(key, one.id) != one.id:
            problem = f"there are two of {label}: a forked history"
            raise TrustError(problem, hint=FORKED)
        highest[key], heads[key] = release.counter, one.id
    return highest, heads


def extended(
    state: TrustState, record: Dispatch, digest: Sha256
) -> tuple[Earlier, ...]:
    """Return the newest deliveries once *record* is in, newest first."""
    newest = Earlier(sequence=record.sequence, sha256=digest)
    return (newest, *state.deliveries)[:HISTORY]


def _known(state: TrustState) -> dict[int, Sha256]:
    return {one.sequence: one.sha256 for one in state.deliveries}


def _check_jump(what: str, before: int, now: int) -> None:
    if now - before > JUMP:
        problem = f"{what} jumps from {before} to {now}, more than {JUMP}"
        hint = "somebody may hold a stolen key: stop, and ask whoever signs"
        raise TrustError(problem, hint=hint)
