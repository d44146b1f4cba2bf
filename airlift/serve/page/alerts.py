"""What somebody should act on, said first.

Ages are counted from when things were signed, not from when they arrived: a delivery
that lay in a drawer for a year is a year old.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from airlift.registry.held import Event, State
from airlift.serve.page import words
from airlift.serve.page.views import View
from airlift.trust.clock import days_from

QUIET_DAYS = 60
"""Days after the newest delivery was signed from which its knowledge counts as old."""
ROOT_DAYS = 90
"""Days before the root expires from which it is said."""
SCRUB_DAYS = 90
"""Days without a verification of the store from which it is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """One thing to act on.

    Attributes:
        text: What is so.
        hint: What to do.
        command: Of airlift, to do it with; empty for none.
        where: Path of the page that shows more, below ``/-/``; empty for none.
        query: Of that page.
    """

    text: str
    hint: str
    command: str = ""
    where: str = ""
    query: tuple[tuple[str, str], ...] = ()


def found(view: View, now: str) -> tuple[Warned, ...]:
    """Return what is to be said of *view* at *now*, the most pressing first."""
    if not view.whole:
        return tuple(_age(view, now))
    every = (_clock, _log, _age, _expiry, _waiting, _gaps, _scrub)
    return tuple(one for rule in every for one in rule(view, now))


def _clock(view: View, now: str) -> Iterator[Warned]:
    floor = view.snapshot.knowledge.floor
    if now < floor:
        text = (
            f"This host's clock says {words.minute(now)}, which is before"
            f" {words.minute(floor)}, a time that is verified. Ages below are wrong."
        )
        yield Warned(text=text, hint="Set the clock of this host.")


def _log(view: View, _now: str) -> Iterator[Warned]:
    last: dict[str, Event] = {}
    for event in view.snapshot.events:  # newest first
        last.setdefault(event.action, event)
    verified, imported = last.get("verify"), last.get("import")
    if verified and verified.outcome != "done":
        when = words.minute(verified.time)
        text = f"The last verification of the store, {when}, found bad blobs."
        yield Warned(
            text=text,
            hint="See which, and what to bring again:",
            command="airlift verify",
            where="imports",
        )
    if imported and imported.outcome == "refused":
        why = words.value(imported.detail.get("problem", "no reason recorded"))
        when = words.minute(imported.time)
        text = f"The last import was refused, {when}: {why}."
        yield Warned(text=text, hint="Ask whoever sent it.", where="imports")


def _age(view: View, now: str) -> Iterator[Warned]:
    newest = next(iter(view.snapshot.deliveries), None)
    if newest is not None and days_from(newest.issued, now) > QUIET_DAYS:
        ago = words.ago(newest.issued, now)
        text = (
            f"The newest delivery was signed {ago}. What has changed upstream since"
            " then, withdrawals too, is not known here."
        )
        hint = "Ask for a delivery; one that brings nothing new renews what expires."
        yield Warned(text=text, hint=hint, where="imports")


def _expiry(view: View, now: str) -> Iterator[Warned]:
    expires = dict(view.snapshot.knowledge.expires)
    root = expires.pop("root", "")
    if root and days_from(now, root) < ROOT_DAYS:
        text = f"The root of trust expires on {words.minute(root)}."
        hint = "Whoever signs must renew it and send a delivery."
        yield Warned(text=text, hint=hint)
    over = [role for role, when in expires.items() if when <= now]
    if over:
        text = f"Signed metadata has expired: {words.show(', '.join(over))}."
        hint = "What is held stays live; the next delivery must bring newer metadata."
        yield Warned(text=text, hint=hint)


def _waiting(view: View, _now: str) -> Iterator[Warned]:
    count = sum(one.state is State.QUARANTINE for one in view.releases)
    if count:
        wait = "waits" if count == 1 else "wait"
        yield Warned(
            text=f"{words.plural(count, 'release')} {wait} in quarantine.",
            hint="Somebody is to look, then",
            command="airlift activate",
            where="models",
            query=(("state", State.QUARANTINE.value),),
        )


def _gaps(view: View, _now: str) -> Iterator[Warned]:
    gaps, before = [], 0
    for number in sorted(one.sequence for one in view.deliveries):
        if number > before + 1:
            first, last = before + 1, number - 1
            gaps.append(str(first) if first == last else f"{first} to {last}")
        before = number
    if gaps:
        text = f"Deliveries that never came here: {', '.join(gaps)}."
        hint = "Later ones stand without; ask what was in them if it matters."
        yield Warned(text=text, hint=hint, where="imports")


def _scrub(view: View, now: str) -> Iterator[Warned]:
    # One that read a part of the store says nothing of the rest.
    done = (
        one.time
        for one in view.snapshot.events
        if one.action == "verify" and one.detail.get("mode", "full") == "full"
    )
    first = view.deliveries[-1].imported if view.deliveries else now
    last = next(done, "")
    if days_from(last or first, now) > SCRUB_DAYS:
        since = f"since {words.day(last)}" if last else "since they were imported"
        text = f"The stored bytes were not verified {since}."
        yield Warned(text=text, hint="Hash them again:", command="airlift verify")
