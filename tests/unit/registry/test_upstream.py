"""What a site knows of upstream: only forward, never forgotten, found again."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import catalogues
import informed
from airlift.errors import RegistryError, TrustError
from airlift.format.catalogue import Catalogue
from airlift.format.catalogue_entries import Standing
from airlift.registry.rebuild import rebuild
from airlift.registry.registry import Registry
from airlift.registry.upstream import Upstream
from airlift.store.blobs import BlobStore
from airlift.trust import catalogue as trusted
from airlift.trust.delivery import TrustState
from airlift.trust.verifier import verify
from informed import CAT, ROLE, take

WEEKS = (
    *("2026-03-02T06:00:00Z", "2026-03-09T06:00:00Z", "2026-03-16T06:00:00Z"),
    "2026-03-23T06:00:00Z",
)


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    return informed.site(tmp_path)


@pytest.fixture(name="upstream")
def _upstream(home: Path) -> Iterator[Upstream]:
    with closing(Upstream.open(home)) as upstream:
        yield upstream


def first(**changes: object) -> Catalogue:
    """Return catalogue 1, with one model and one package."""
    made = catalogues.of(
        catalogues.item(),
        packages=(catalogues.package("demo", "1.1", "1.0"),),
        issued=WEEKS[0],
        next_expected=WEEKS[1],
        valid_until=WEEKS[3],
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def withdrawn(upstream: Upstream) -> list[tuple[str, str, str, int]]:
    """Return name, what and reason of what is withdrawn, and since which catalogue."""
    return [
        (one.withdrawal.subject, one.withdrawal.what, one.withdrawal.reason, one.since)
        for one in upstream.standing()
    ]


def yanked(made: Catalogue, why: str | None, as_of: str) -> Catalogue:
    """Return *made* with the newest wheel of its package yanked, as of *as_of*."""
    (package,) = made.packages
    newest, *others = package.versions
    fresh = catalogues.version(package.name, newest.version, yanked=why)
    changed = replace(package, versions=(fresh, *others), as_of=as_of)
    return replace(made, packages=(changed,))


def test_what_was_taken_in_is_read_back(upstream: Upstream) -> None:
    """Years later too, and to the byte: it is evidence."""
    assert upstream.newest() is None
    take(upstream, first())
    second = catalogues.after(first(), WEEKS[1])
    take(upstream, second)
    taken = upstream.taken()
    assert [(one.sequence, one.issued, one.actor) for one in taken] == [
        (2, WEEKS[1], "bob"),
        (1, WEEKS[0], "bob"),
    ]
    assert [upstream.read(one) for one in taken] == [second, first()]
    newest = upstream.newest()
    assert newest is not None
    assert (newest.sequence, newest.id, newest.issued) == (2, taken[0].id, WEEKS[1])


def test_the_same_one_again_changes_nothing(upstream: Upstream, home: Path) -> None:
    """A stick is read twice; the log need not say so twice."""
    for _ in range(2):
        take(upstream, first())
    with closing(Registry.open(home)) as registry:
        events = registry.events(action="catalogue")
    assert [(one.subject, one.outcome) for one in events] == [("catalogue 1", "done")]


@pytest.mark.parametrize(
    ("offered", "problem"),
    [
        (first(), "it is catalogue 1, this site holds 2"),
        (
            catalogues.after(first(), WEEKS[1], items=()),
            (
                "it is catalogue 2, and does not go with the catalogue 2 held here: a"
                " forked history"
            ),
        ),
    ],
)
def test_what_is_refused_is_in_the_log(
    upstream: Upstream, home: Path, offered: Catalogue, problem: str
) -> None:
    """Somebody who keeps offering an old one should be noticed."""
    take(upstream, first())
    take(upstream, catalogues.after(first(), WEEKS[1]))
    with pytest.raises(TrustError) as caught:
        take(upstream, offered)
    assert caught.value.problem == problem
    with closing(Registry.open(home)) as registry:
        *_, last = registry.events(action="catalogue")
    assert (last.outcome, last.detail) == ("refused", {"problem": problem})
    assert [one.sequence for one in upstream.taken()] == [2, 1]


# --- what was withdrawn -----------------------------------------------------------


def test_a_withdrawal_stays_when_nobody_speaks_of_it(upstream: Upstream) -> None:
    """A catalogue that leaves something out, or could not ask, takes nothing back."""
    one = yanked(first(), "broken", WEEKS[0])
    take(upstream, one)
    path = "demo-1.1-py3-none-any.whl"
    assert withdrawn(upstream) == [(path, "yanked", "broken", 1)]
    silent = replace(one.packages[0], problem="no answer")
    two = catalogues.after(one, WEEKS[1], packages=(silent,))
    take(upstream, two)
    three = catalogues.after(two, WEEKS[2], packages=())
    take(upstream, three)
    assert withdrawn(upstream) == [(path, "yanked", "broken", 1)]


def test_an_old_answer_takes_nothing_back(upstream: Upstream) -> None:
    """Content that was kept from before the yank is no answer to it."""
    one = yanked(first(), "broken", WEEKS[0])
    take(upstream, one)
    older = yanked(catalogues.after(one, WEEKS[1]), None, "2026-03-01T06:00:00Z")
    take(upstream, older)
    assert [what for _, what, _, _ in withdrawn(upstream)] == ["yanked"]


def test_a_newer_answer_takes_it_back_and_another_may_renew_it(
    upstream: Upstream,
) -> None:
    """Upstream may change its mind, and change it again."""
    one = yanked(first(), "broken", WEEKS[0])
    take(upstream, one)
    two = yanked(catalogues.after(one, WEEKS[1]), None, WEEKS[1])
    take(upstream, two)
    assert withdrawn(upstream) == []
    three = yanked(catalogues.after(two, WEEKS[2]), "again", WEEKS[2])
    take(upstream, three)
    path = "demo-1.1-py3-none-any.whl"
    assert withdrawn(upstream) == [(path, "yanked", "again", 3)]


def test_each_way_to_withdraw_is_kept(upstream: Upstream) -> None:
    """Gone, gated, off, removed, quarantined: a site holds what is none of it there."""
    items = tuple(
        catalogues.item(f"org/{word}", standing=word, reason="why", revision="")
        for word in (Standing.DISABLED, Standing.GATED, Standing.GONE)
    )
    quarantined = catalogues.package("bad", "1.0", status="quarantined", reason="mal")
    removed = replace(catalogues.version("demo", "1.0"), files=())
    lost = catalogues.package("demo", "1.1")
    lost = replace(lost, versions=(*lost.versions, removed))
    one = first(items=items, packages=(quarantined, lost))
    take(upstream, one)
    assert withdrawn(upstream) == [
        ("org/disabled", "disabled", "why", 1),
        ("org/gated", "gated", "why", 1),
        ("org/gone", "gone", "why", 1),
        ("", "quarantined", "mal", 1),
        ("1.0", "removed", "", 1),
    ]
    back = catalogues.package("bad", "1.0", as_of=WEEKS[1])
    again = catalogues.item("org/gone", as_of=WEEKS[1])
    two = catalogues.after(one, WEEKS[1], items=(again,), packages=(back,))
    take(upstream, two)
    assert [what for _, what, _, _ in withdrawn(upstream)] == [
        *("disabled", "gated", "removed")
    ]


# --- disk and rebuild ---------------------------------------------------------------


def test_a_rebuilt_registry_knows_the_same(home: Path) -> None:
    """Else a lost database would make a site trust what was taken back."""
    with closing(Upstream.open(home)) as upstream:
        one = yanked(first(), "broken", WEEKS[0])
        take(upstream, one)
        take(upstream, catalogues.after(one, WEEKS[1], packages=()))
        before = upstream.taken(), upstream.standing(), upstream.last_seen()
    rebuild(home, BlobStore(home / "store"), verify=verify, now=WEEKS[2], actor="ann")
    with closing(Upstream.open(home)) as upstream:
        assert (upstream.taken(), upstream.standing()) == before[:2]
        assert upstream.last_seen() == WEEKS[2]


def kept_aside(home: Path, made: Catalogue) -> None:
    """Put the file of *made* where a kill between file and row leaves it."""
    data = trusted.sign(made, ROLE, [CAT])
    digest = trusted.verify(data, _state(home), None, name="it").id
    folder = home / "records" / "catalogues"
    path = folder / f"{made.sequence:06d}-{digest[:12]}.catalogue"
    path.write_bytes(data)


def test_a_file_whose_record_never_came_counts_after_a_rebuild(home: Path) -> None:
    """It was believed before it was written; what it withdrew must not be lost."""
    with closing(Upstream.open(home)) as upstream:
        take(upstream, first())
    kept_aside(home, yanked(catalogues.after(first(), WEEKS[1]), "bad", WEEKS[1]))
    rebuild(home, BlobStore(home / "store"), verify=verify, now=WEEKS[2], actor="ann")
    with closing(Upstream.open(home)) as upstream:
        assert [one.sequence for one in upstream.taken()] == [2, 1]
        assert [what for _, what, _, _ in withdrawn(upstream)] == ["yanked"]


def test_of_two_files_of_one_number_the_log_tells_the_true_one(home: Path) -> None:
    """A kill may leave one that another was then taken in the place of."""
    two = catalogues.after(first(), WEEKS[1])
    with closing(Upstream.open(home)) as upstream:
        take(upstream, first())
        take(upstream, two)
        before = upstream.taken()
    for nothing in ("a", "b", "c"):
        item = catalogues.item(f"org/{nothing}")
        kept_aside(home, catalogues.after(first(), WEEKS[1], items=(item,)))
    rebuild(home, BlobStore(home / "store"), verify=verify, now=WEEKS[2], actor="ann")
    with closing(Upstream.open(home)) as upstream:
        assert upstream.taken() == before


def _state(home: Path) -> TrustState:
    with closing(Upstream.open(home)) as upstream:
        return upstream.trust_state()


def test_a_file_that_was_changed_is_found_out(home: Path, upstream: Upstream) -> None:
    """What is shown must be what was signed."""
    take(upstream, first())
    (kept,) = (home / "records" / "catalogues").iterdir()
    other = trusted.sign(first(items=()), ROLE, [CAT])
    kept.chmod(0o600)
    kept.write_bytes(other)
    (taken,) = upstream.taken()
    with pytest.raises(RegistryError) as caught:
        upstream.read(taken)
    assert caught.value.problem == f"{kept} is not the catalogue its name says"


# --- the clock ----------------------------------------------------------------------


def test_what_the_log_has_seen_is_a_time_that_was(upstream: Upstream) -> None:
    """A clock set back cannot undo what was written down since."""
    assert upstream.last_seen() == ""
    take(upstream, first())
    assert upstream.last_seen() == WEEKS[0]
    upstream.refuse("no", now="2026-03-14T00:00:00Z", actor="eve")
    upstream.refuse("no", now="2025-03-14T00:00:00Z", actor="eve")
    assert upstream.last_seen() == "2026-03-14T00:00:00Z"


def test_a_clock_that_was_once_far_ahead_is_forgotten(upstream: Upstream) -> None:
    """One mistake of a day must not make all knowledge old for ever."""
    take(upstream, first())
    upstream.refuse("no", now="2099-01-01T00:00:00Z", actor="eve")
    assert upstream.last_seen() == "2099-01-01T00:00:00Z"
    take(upstream, catalogues.after(first(), WEEKS[1]))
    assert upstream.last_seen() == WEEKS[1]
