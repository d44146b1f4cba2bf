"""What a catalogue means here, as a person or a program is shown it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from airlift import naming
from airlift.artifact import Json
from airlift.cli import output
from airlift.digest import is_sha256
from airlift.format import withdrawal
from airlift.format.catalogue import Catalogue
from airlift.format.catalogue_entries import Item, Package
from airlift.format.withdrawal import Withdrawal
from airlift.inbound import ages
from airlift.inbound.ages import Today
from airlift.inbound.news import Finding
from airlift.registry.upstream import Taken

_COMMIT: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is shown: the newest catalogue, and what it means at a time."""

    taken: Taken
    made: Catalogue
    findings: tuple[Finding, ...]
    standing: tuple[Withdrawal, ...]
    today: Today


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAge:
    """How old the knowledge of one source is.

    Attributes:
        source: Its address.
        entries: How many entries it was asked for.
        as_of: Of the entry it answered for longest ago; empty where never.
        silent: How many it did not answer for the last time.
        problem: Why, of the first of them.
    """

    source: str
    entries: int
    as_of: str
    silent: int
    problem: str


def only(view: View, name: str) -> View:
    """Return *view* with nothing but what is called *name*, or has that number."""
    return replace(
        view,
        findings=tuple(
            one
            for one in view.findings
            if name in (one.name, one.asked, f"{one.kind}:{one.name}")
            or (one.number is not None and name == str(one.number))
        ),
    )


def short(text: str) -> str:
    """Return a commit or digest by its first twelve digits, anything else whole."""
    digits = all(c in "0123456789abcdef" for c in text)
    return text[:12] if is_sha256(text) or (len(text) == _COMMIT and digits) else text


def sources(made: Catalogue) -> tuple[SourceAge, ...]:
    """Return how old the knowledge of each source is, by its address."""
    grouped: dict[str, list[Item | Package]] = {}
    for one in made.entries:
        grouped.setdefault(one.source or "unknown", []).append(one)
    found = []
    for source in sorted(grouped):
        entries = grouped[source]
        silent = [one for one in entries if one.problem]
        found.append(
            SourceAge(
                source=source,
                entries=len(entries),
                as_of=min(one.as_of for one in entries),
                silent=len(silent),
                problem=silent[0].problem if silent else "",
            )
        )
    return tuple(found)


# --- for people -------------------------------------------------------------------


def show(view: View, *, everything: bool) -> None:
    """Print *view*; only what matters, unless *everything* is to be shown."""
    made, today = view.made, view.today
    output.line(
        f"catalogue {made.sequence} of {made.issued}, {_age(view, made.issued)}"
    )
    if today.problem:
        output.note(f"warning: {today.problem}")
    if late := ages.overdue(made, today):
        output.note(f"warning: {late}")
    for one in sources(made):
        line = (
            f"{naming.show(one.source)}: {one.entries} entries, {_age(view, one.as_of)}"
        )
        if one.silent:
            line += f"; {one.silent} not answered for: {naming.show(one.problem)}"
        output.line(line)
    output.line(_feed(view))
    rows = [_row(one) for one in view.findings if everything or one.matters]
    if rows:
        head = ("NO", "KIND", "NAME", "NEWS", "HELD", "NEWEST", "TO FETCH", "NOTE")
        output.line()
        output.table(rows, head=head)
    quiet = sum(1 for one in view.findings if not one.matters)
    if quiet and not everything:
        output.line(f"{quiet} more are as they should be, or not held (`--all`)")
    _show_forgotten(view)


def _age(view: View, as_of: str) -> str:
    days, age = view.today.days(as_of), view.today.age(as_of)
    if days is None:
        return "never answered for"
    return f"{days} day{'' if days == 1 else 's'} old ({age.value})"


def _feed(view: View) -> str:
    feed = view.made.feed
    if not feed.as_of:
        return f"advisories: unknown, {naming.show(feed.problem)}"
    line = (
        f"advisories: {feed.records} records looked through, {_age(view, feed.as_of)}"
    )
    return f"{line}; {naming.show(feed.problem)}" if feed.problem else line


def _row(one: Finding) -> tuple[str, ...]:
    return (
        "-" if one.number is None else str(one.number),
        one.kind,
        naming.show(one.asked or one.name),
        one.news.value + (f", {one.behind} behind" if one.behind else ""),
        naming.show(short(one.held)) or "-",
        naming.show(short(one.newest)) or "-",
        output.size(one.bytes) if one.bytes else "-",
        "; ".join(notes(one)) or "-",
    )


def notes(one: Finding) -> list[str]:
    """Return what is to be said about a finding, what weighs most first."""
    found = [_withdrawn(each) for each in one.withdrawn]
    for advice in one.advice:
        fixed = f", fixed in {advice.fixed_in}" if advice.fixed_in else ", not fixed"
        found.append(f"{advice.id}{naming.show(fixed)}")
    if one.moved_to:
        found.append(f"moved to {naming.show(one.moved_to)}")
    if one.kind == withdrawal.PACKAGE and one.held and not one.advised:
        found.append("advisories unknown")
    if one.problem:
        found.append(naming.show(one.problem))
    return found


def _withdrawn(one: Withdrawal) -> str:
    what = one.what
    if one.what == withdrawal.YANKED:
        what = f"{one.subject} yanked"
    reason = f": {one.reason}" if one.reason else ""
    return naming.show(f"{what}{reason} (as of {one.as_of})")


def _show_forgotten(view: View) -> None:
    """Print what earlier catalogues withdrew of what is shown nowhere else."""
    shown = {each.key for one in view.findings for each in one.withdrawn}
    stated = {one.key for one in withdrawal.stated(view.made)}
    for one in view.standing:
        if one.key not in shown and one.key not in stated:
            line = f"{one.kind} {one.name}: {_withdrawn(one)}"
            output.note(f"still withdrawn, by an earlier catalogue: {line}")


def show_details(view: View) -> None:
    """Print the files and advisories of what *view* is narrowed to."""
    for one in view.findings:
        if one.number is not None:
            entry = view.made.entry(one.number)
            for line in _details(entry):
                output.line(line)
        for advice in one.advice:
            output.line(f"{advice.id}: {naming.show(advice.summary)}")


def _details(entry: Item | Package) -> Iterable[str]:
    if isinstance(entry, Item):
        yield f"{entry.kind} {naming.show(entry.asked)} at {entry.revision or 'unknown'}"
        if entry.licence:
            yield f"licence {naming.show(entry.licence)}"
        for seen in entry.earlier:
            yield f"before it {seen.revision}, newest until {seen.as_of}"
        for file in entry.files:
            yield f"  {naming.show(file.path)}  {_size(file.size)}"
        return
    for version in entry.versions:
        python = (
            f", Python {version.requires_python}" if version.requires_python else ""
        )
        yield naming.show(f"{entry.name} {version.version}{python}")
        for file in version.files:
            mark = "" if file.yanked is None else f"  yanked: {file.yanked}"
            yield f"  {naming.show(file.path)}  {_size(file.size)}{naming.show(mark)}"


def _size(size: int | None) -> str:
    return "size unknown" if size is None else output.size(size)


# --- for programs -----------------------------------------------------------------


def as_json(view: View) -> dict[str, Json]:
    """Return *view* for ``--json``: all of it."""
    made, today = view.made, view.today
    return {
        "catalogue": {
            "sequence": made.sequence,
            "id": view.taken.id,
            "issued": made.issued,
            "imported": view.taken.imported,
            "next_expected": made.next_expected,
            "valid_until": made.valid_until,
            **_json_age(today, made.issued),
        },
        "clock": {"counted_to": today.at, "problem": today.problem},
        "overdue": ages.overdue(made, today),
        "sources": [
            {
                "source": one.source,
                "entries": one.entries,
                "not_answered": one.silent,
                "problem": one.problem,
                **_json_age(today, one.as_of),
            }
            for one in sources(made)
        ],
        "advisories": {
            "records": made.feed.records,
            "problem": made.feed.problem,
            **_json_age(today, made.feed.as_of),
        },
        "findings": [_json_finding(one, today) for one in view.findings],
        "withdrawn": [_json_withdrawal(one) for one in view.standing],
    }


def _json_age(today: Today, as_of: str) -> dict[str, Json]:
    return {
        "as_of": as_of,
        "age_days": today.days(as_of),
        "age": today.age(as_of).value,
    }


def _json_finding(one: Finding, today: Today) -> dict[str, Json]:
    return {
        "number": one.number,
        "kind": one.kind,
        "name": one.name,
        "asked": one.asked,
        "news": one.news.value,
        "matters": one.matters,
        "held": one.held,
        "newest": one.newest,
        "behind": one.behind,
        "bytes": one.bytes,
        "moved_to": one.moved_to,
        "withdrawn": [_json_withdrawal(each) for each in one.withdrawn],
        "advisories": [
            {"id": each.id, "summary": each.summary, "fixed_in": each.fixed_in}
            for each in one.advice
        ],
        "advised": one.advised,
        "problem": one.problem,
        **_json_age(today, one.as_of),
    }


def _json_withdrawal(one: Withdrawal) -> dict[str, Json]:
    return {
        "kind": one.kind,
        "name": one.name,
        "subject": one.subject,
        "what": one.what,
        "reason": one.reason,
        "as_of": one.as_of,
    }
