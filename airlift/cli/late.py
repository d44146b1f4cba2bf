"""``airlift approve --expired``: one person's word that a delivery may be taken late."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from airlift.artifact import Json
from airlift.cli import config, output
from airlift.errors import RequestError
from airlift.format.reading import read_front
from airlift.inbound import media
from airlift.registry.registry import Registry
from airlift.trust import approval, grace, verifier
from airlift.trust.keys import UnlockedKey


def approve(
    home: Path, at: Path, note: str, key: Callable[[], UnlockedKey]
) -> dict[str, Json]:
    """Keep an approval to take the delivery at *at* late; return what to tell.

    Args:
        home: The folder of the registry.
        at: Where its media are; volumes of one delivery.
        note: What is said about it.
        key: Unlocks the key of who approves, once it is known what.

    Raises:
        RequestError: There is not one delivery there, it has not expired, or too few
            people are known here.
        TrustError: Something else is wrong with it, or the key may not approve it.
    """
    groups = media.group(media.find([at]).candidates)
    if len(groups) != 1:
        problem = f"{len(groups)} deliveries are at {at}, one is to be approved"
        raise RequestError(problem, hint="name a folder with the volumes of one")
    with closing(Registry.open(home)) as registry:
        state, now = registry.trust_state(), config.now()
        grace.need_officers(state)
        with media.opened(groups[0][1][0].path) as source:
            records = read_front(source).records
        delivery, why = verifier.overdue(records, state, now=now)
        output.note(why)
        # By the time that the site goes by: its own clock may be behind it.
        given = approval.sign(
            key(),
            grace.subject(delivery, state.site),
            at=max(now, state.floor),
            note=note,
        )
        with registry.exclusive("approve"):
            custody = registry.custody()
            line = custody.admit_late(given, state, actor=config.actor(), now=now)
            registry.log(line)
        enough = grace.given(
            custody.approvals(), delivery, state, at=max(now, state.floor)
        )
    state_now = (
        "`airlift import` takes it"
        if enough
        else (f"more must say so: {grace.possible(state)}")
    )
    return {**told(given), "state": state_now}


def told(given: approval.Approval) -> dict[str, Json]:
    """Return *given* as JSON shows it."""
    found = given.subject
    return {
        "site": found.site,
        "what": found.what,
        "digest": found.digest,
        "by": given.by,
        "key_id": given.key_id,
        "at": given.at,
        "note": given.note,
    }
