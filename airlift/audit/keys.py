"""Q10: which keys signed what is live, when they end, and which count no longer.

Every signature of what is trusted is checked again (``audit.signatures``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from airlift.artifact import Json
from airlift.audit import signatures
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import About, Finding, Severity, Subject
from airlift.audit.site import Site
from airlift.digest import Sha256
from airlift.registry.held import State
from airlift.trust import clock, metadata, site_key
from airlift.trust.denials import Denial, What
from airlift.trust.expiry import expiries
from airlift.trust.public import PublicKey
from airlift.trust.verifier import ROOT_NOTICE_DAYS

KIND: Final = "key"
"""The family of its findings."""
NOTICE_DAYS: Final = 30
"""Days before a role other than the root expires from which that is a finding."""
_COLUMNS: Final = (
    *("name", "role", "state", "until", "days_left", "signed_live", "signed"),
    *("scheme", "since", "gone_in", "denied", "key"),
)
_APPROVERS: Final = "approvals here"
_RECEIPTS: Final = "receipts"


@dataclass(slots=True)
class _Stand:
    """A key in a role.

    Attributes:
        key: It.
        since: From which document on, as ``root 1``.
        gone: In which it was left out; empty while it counts.
        until: When the role's document expires; empty where it does not.
    """

    key: PublicKey
    since: str
    gone: str = ""
    until: str = ""


@dataclass(slots=True)
class _Book:
    """Every key that counts or counted, by role and id."""

    stands: dict[tuple[str, str], _Stand] = field(default_factory=dict)

    def add(
        self, role: str, keys: tuple[PublicKey, ...], source: str, until: str = ""
    ) -> None:
        """Note that *keys*, and no others any more, count for *role* by *source*."""
        named = {key.key_id for key in keys}
        for (known_role, key_id), stand in self.stands.items():
            if known_role == role and key_id not in named and not stand.gone:
                stand.gone = source
        for key in keys:
            stand = self.stands.setdefault(
                (role, key.key_id), _Stand(key=key, since=source)
            )
            stand.gone, stand.until = "", until


def ask(site: Site, options: Options) -> Answer:
    """Return a row for each key in each role, and check every signature again."""
    broken = tuple(signatures.broken(site))
    book = _Book() if broken else _book(site)
    used = _used(site)
    listed = site.registry.custody().denials().entries
    denied = {one.digest: one for one in listed if one.what is What.KEY}
    rows = tuple(_rows(site, (book, used, denied)))
    wanted = tuple(one for one in rows if options.wants(*_names(one)))
    found = (
        *broken,
        *(() if broken else _expiring(site)),
        *_gone(book, used, denied),
        *signatures.doubtful(site),
    )
    return Answer(
        question="Q10",
        as_of=site.deliveries[0].issued if site.deliveries else "",
        columns=_COLUMNS,
        rows=wanted,
        findings=found,
        unknown=options.absent(map(_names, rows)),
        counts={"keys": len({one["key"] for one in rows}), "roles": len(rows)},
        broken=bool(broken),
    )


def _names(row: Mapping[str, Json]) -> tuple[str, ...]:
    return str(row["name"]), str(row["key"]), str(row["role"])


# --- whose keys count -------------------------------------------------------------


def _book(site: Site) -> _Book:
    book, expires = _Book(), expiries(site.trust)
    for document in signatures.roots(site.trust):
        source = f"root {document.body.version}"
        for role, one in document.body.roles.items():
            book.add(role, one.keys, source, expires.get(role, ""))
    if targets := signatures.targets(site.trust):
        source = f"targets {targets.body.version}"
        role = metadata.site_role(site.trust.site)
        own = targets.body.sites.get(site.trust.site)
        book.add(role, own.keys if own else (), source, expires.get(role, ""))
        if targets.body.catalogue:
            book.add(metadata.CATALOGUE, targets.body.catalogue.keys, source)
    if site.policy:
        people = site.policy.approvers.keys
        book.add(_APPROVERS, people, f"policy {site.policy.version}")
    if own_key := site_key.read_public(site.home):
        book.add(_RECEIPTS, (own_key,), "this site")
    return book


# --- what they signed -------------------------------------------------------------


@dataclass(slots=True)
class _Used:
    """How much a key signed in a role: deliveries, and releases that are live."""

    name: str
    scheme: str
    deliveries: int = 0
    live: int = 0
    names: list[str] = field(default_factory=list)


def _used(site: Site) -> Mapping[tuple[str, str], _Used]:
    live: dict[int, list[str]] = {}
    for one in site.releases:
        if one.state is State.LIVE:
            live.setdefault(one.sequence, []).append(one.release.name)
    found: dict[tuple[str, str], _Used] = {}
    for delivery in site.deliveries:
        brought = live.get(delivery.sequence, [])
        for by in delivery.signed_by:
            used = found.setdefault((by.role, by.key_id), _Used(by.name, by.scheme))
            used.deliveries += 1
            used.live += len(brought)
            used.names += brought
    return found


_Known = tuple[_Book, Mapping[tuple[str, str], _Used], Mapping[Sha256, Denial]]


def _rows(site: Site, known: _Known) -> Iterator[Mapping[str, Json]]:
    book, used, denied = known
    today = site.clock.trusted
    for place in sorted(book.stands.keys() | used.keys()):
        (role, key_id), stand, by = place, book.stands.get(place), used.get(place)
        until = stand.until if stand else ""
        yield {
            "kind": str(About.KEY),
            "name": (stand.key.name if stand else by.name if by else "") or key_id[:16],
            "role": role,
            "state": _state(stand, denied.get(Sha256(key_id))),
            "until": until,
            "days_left": clock.days_from(today, until) if until else None,
            "signed_live": by.live if by else 0,
            "signed": by.deliveries if by else 0,
            "scheme": stand.key.scheme if stand else by.scheme if by else "",
            "since": stand.since if stand else "",
            "gone_in": stand.gone if stand else "",
            "denied": _why(denied.get(Sha256(key_id))),
            "key": key_id,
        }


def _state(stand: _Stand | None, denied: Denial | None) -> str:
    if denied:
        return "denied"
    return "counts" if stand and not stand.gone else "counts no longer"


def _why(denied: Denial | None) -> str:
    return f"{denied.since[:10]}: {denied.why}" if denied else ""


def _gone(
    book: _Book,
    used: Mapping[tuple[str, str], _Used],
    denied: Mapping[Sha256, Denial],
) -> Iterator[Finding]:
    for (role, key_id), by in sorted(used.items()):
        if (denial := denied.get(Sha256(key_id))) and by.live:
            yield _denied(role, key_id, by, denial)
            continue
        if role == metadata.ROOT:
            # A key that is replaced signs the root that replaces it, and no content.
            continue
        stand = book.stands.get((role, key_id))
        if by.live and (stand is None or stand.gone):
            name = by.name or key_id[:16]
            yield Finding(
                kind=KIND,
                # A key may count for one role and no longer for another.
                rule=f"counts-no-longer/{role}",
                severity=Severity.MEDIUM,
                subject=Subject(kind=About.KEY, name=name, digest=key_id),
                title=(
                    f"the key of {name} counts no longer for {role}, and signed for"
                    f" {by.live} live release(s)"
                ),
                evidence={
                    "key": key_id,
                    "gone_in": stand.gone if stand else "",
                    "releases": tuple(sorted(set(by.names))),
                },
                controls=("SC-12", "CM-14"),
            )


def _denied(role: str, key_id: str, by: _Used, denial: Denial) -> Finding:
    name = by.name or key_id[:16]
    return Finding(
        kind=KIND,
        rule=f"denied/{role}",
        severity=Severity.HIGH,
        subject=Subject(kind=About.KEY, name=name, digest=key_id),
        title=(
            f"the key of {name} is denied ({denial.why}), and signed for {by.live} live"
            f" release(s) as {role}"
        ),
        evidence={
            "key": key_id,
            "since": denial.since,
            "why": denial.why,
            "releases": tuple(sorted(set(by.names))),
        },
        controls=("SC-12", "CM-14"),
    )


# --- what ends --------------------------------------------------------------------


def _expiring(site: Site) -> Iterator[Finding]:
    for role, until in expiries(site.trust).items():
        days = clock.days_from(site.clock.trusted, until)
        is_root = role == metadata.ROOT
        notice = ROOT_NOTICE_DAYS if is_root else NOTICE_DAYS
        if days >= notice:
            continue
        over = until <= site.clock.trusted
        worst = Severity.HIGH if is_root else Severity.MEDIUM
        soon = Severity.MEDIUM if is_root else Severity.LOW
        yield Finding(
            kind=KIND,
            rule="expired" if over else "expires-soon",
            severity=worst if over else soon,
            subject=Subject(kind=About.KEY, name=f"role {role}"),
            title=f"role {role} {'expired' if over else 'expires'} on {until}",
            evidence={"until": until, "days_left": days},
            controls=("SC-12",),
        )
