"""What a catalogue means for what is held, and how old it is."""

from dataclasses import replace

import pytest

import catalogues
from airlift.artifact import Json, Kind, Release, ReleaseFile
from airlift.digest import sha256
from airlift.format import rule, withdrawal
from airlift.format.catalogue import Advisory, Catalogue
from airlift.format.catalogue_entries import Item, Seen, Standing
from airlift.inbound import ages, changes, news
from airlift.inbound.ages import Age
from airlift.inbound.changes import Change
from airlift.inbound.news import Advice, Finding, News, Owned

ISSUED = catalogues.ISSUED
BEFORE, AFTER = "2025-12-01T00:00:00Z", "2026-01-06T00:00:00Z"


def owned(
    revision: str,
    *,
    name: str = "org/model",
    kind: Kind = Kind.MODEL,
    files: tuple[ReleaseFile, ...] = (),
    refs: tuple[str, ...] = (),
    issued: str = BEFORE,
    live: bool = True,
    **upstream: Json,
) -> Owned:
    """Return an artifact that is held."""
    release = Release(
        kind=kind,
        name=name,
        revision=revision,
        counter=1,
        files=files,
        refs=refs,
        upstream=upstream,
    )
    digest = sha256(f"{kind} {name} {revision}".encode())
    return Owned(id=digest, release=release, issued=issued, live=live)


def file(path: str, content: str) -> ReleaseFile:
    """Return a file that is held."""
    return ReleaseFile(path=path, size=len(content), sha256=catalogues.digest(content))


def wheels(*paths: str, live: bool = True) -> Owned:
    """Return a held set of wheels."""
    files = tuple(file(path, path) for path in sorted(paths))
    return owned("0" * 64, name="tools", kind=Kind.WHEELS, files=files, live=live)


def found(made: Catalogue, *held: Owned) -> tuple[Finding, ...]:
    """Return what *made* means where *held* is held."""
    return news.find(made, held, withdrawal.stated(made))


def only(made: Catalogue, *held: Owned) -> Finding:
    """Return the only finding."""
    (one,) = found(made, *held)
    return one


ITEM = catalogues.item(earlier=(Seen(revision="a" * 40, as_of=BEFORE),))


@pytest.mark.parametrize(
    ("held", "expected", "behind", "matters"),
    [
        ((), News.NOT_HELD, 0, False),
        ((owned(ITEM.revision),), News.CURRENT, 0, False),
        ((owned("a" * 40),), News.NEWER, 1, True),
        ((owned("b" * 40),), News.NEWER, 0, True),
        ((owned("b" * 40, issued=AFTER),), News.AHEAD, 0, False),
        # It stood in a catalogue before the newest: it came late, and is older still.
        ((owned("a" * 40, issued=AFTER),), News.NEWER, 1, True),
        # What is served counts, not what waits or is retired.
        (
            (owned(ITEM.revision, live=False), owned("b" * 40)),
            *(News.NEWER, 0, True),
        ),
    ],
)
def test_what_is_held_is_compared_with_the_newest(
    held: tuple[Owned, ...], expected: News, behind: int, *, matters: bool
) -> None:
    """The question that everything is about."""
    one = only(catalogues.of(ITEM), *held)
    assert (one.news, one.behind, one.matters) == (expected, behind, matters)


@pytest.mark.parametrize("standing", [Standing.GATED, Standing.GONE, Standing.DISABLED])
def test_what_is_withdrawn_is_never_current(standing: Standing) -> None:
    """Nobody knows what would be the newest."""
    item = catalogues.item(standing=standing, revision="", reason="why")
    one = only(catalogues.of(item), owned("b" * 40))
    assert (one.news, one.matters) == (News.UNKNOWN, True)
    assert [(each.what, each.reason) for each in one.withdrawn] == [(standing, "why")]


def test_what_is_not_watched_is_unknown() -> None:
    """Not "current": no record is no knowledge."""
    assert found(catalogues.of(), owned("b" * 40), wheels("demo-1.0.tar.gz")) == (
        Finding(
            number=None,
            kind="model",
            name="org/model",
            news=News.UNKNOWN,
            held="b" * 40,
            problem="the catalogue does not watch it",
        ),
        Finding(
            number=None,
            kind="wheels",
            name="tools",
            news=News.UNKNOWN,
            held="0" * 64,
            problem="the catalogue does not watch it",
        ),
        Finding(
            number=None,
            kind="package",
            name="demo",
            news=News.UNKNOWN,
            held="1.0",
            problem="the catalogue does not watch it",
        ),
    )


def test_what_is_to_be_fetched_is_what_is_not_held() -> None:
    """A new commit with the same weights costs next to nothing."""
    weights = ITEM.files[1]
    assert weights.sha256 is not None
    same = ReleaseFile(path="other-name", size=5_000, sha256=weights.sha256)
    one = only(catalogues.of(ITEM), owned("b" * 40, files=(same,)))
    assert one.bytes == 700


def tag(name: str, word: str) -> Item:
    """Return an Ollama model that is watched under a tag."""
    return catalogues.item(
        name, kind=Kind.OLLAMA, asked=f"tiny:{word}", refs=(word,), revision=word * 64
    )


def test_tags_of_one_name_are_told_apart() -> None:
    """The 8b that is held says nothing about the 70b."""
    made = catalogues.of(tag("library/tiny", "a"), tag("library/tiny", "b"))
    held = owned("a" * 64, name="library/tiny", kind=Kind.OLLAMA, refs=("a",))
    assert [one.news for one in found(made, held)] == [News.CURRENT, News.NOT_HELD]


def test_quantisations_of_one_repository_are_told_apart() -> None:
    """As for tags."""
    made = catalogues.of(
        *(
            catalogues.item(
                kind=Kind.GGUF, options={"quant": quant}, facts={"quantisation": quant}
            )
            for quant in ("Q4_K_M", "Q8_0")
        )
    )
    held = owned("b" * 40, kind=Kind.GGUF, quantisation="Q8_0")
    assert [one.news for one in found(made, held)] == [News.NOT_HELD, News.NEWER]


# --- packages ---------------------------------------------------------------------

DEMO = catalogues.of(packages=(catalogues.package("demo", "1.10", "1.9"),))
WHEEL = "demo-1.9-py3-none-any.whl"


def test_versions_are_compared_as_versions() -> None:
    """1.10 is after 1.9, whatever the alphabet says."""
    _, one = found(DEMO, wheels(WHEEL))
    assert (one.news, one.held, one.newest) == (News.NEWER, "1.9", "1.10")
    _, one = found(DEMO, wheels("demo-1.10-py3-none-any.whl"))
    assert (one.news, one.bytes) == (News.CURRENT, 0)


def test_every_version_that_is_live_is_judged() -> None:
    """Two sets may hold two of them."""
    _, first, second = found(DEMO, wheels(WHEEL, "demo-1.10-py3-none-any.whl"))
    assert (first.held, first.news) == ("1.10", News.CURRENT)
    assert (second.held, second.news) == ("1.9", News.NEWER)


def test_what_is_yanked_is_told_of_the_version_that_has_it() -> None:
    """And of no other."""
    (package,) = DEMO.packages
    old = catalogues.version("demo", "1.9", yanked="broken")
    package = replace(package, versions=(package.versions[0], old))
    made = replace(DEMO, packages=(package,))
    _, first, second = found(made, wheels(WHEEL, "demo-1.10-py3-none-any.whl"))
    assert first.withdrawn == ()
    assert [(one.subject, one.reason) for one in second.withdrawn] == [
        (WHEEL, "broken")
    ]


def advisory(name: str = "demo", **record: Json) -> Advisory:
    """Return an advisory about every version before 1.10."""
    events: tuple[Json, ...] = ({"introduced": "0"}, {"fixed": "1.10"})
    affected: Json = {"package": name, "ranges": ({"events": events},), "versions": ()}
    told: dict[str, Json] = {"summary": "it breaks", "affected": (affected,), **record}
    return Advisory(id="GHSA-1", record=told, sha256=catalogues.digest("x"))


def test_advisories_are_about_the_version_that_is_held() -> None:
    """And say where it is fixed."""
    made = replace(DEMO, advisories=(advisory(),))
    _, one = found(made, wheels(WHEEL))
    assert one.advice == (Advice(id="GHSA-1", summary="it breaks", fixed_in="1.10"),)
    _, one = found(made, wheels("demo-1.10-py3-none-any.whl"))
    assert one.advice == ()
    gone = replace(DEMO, advisories=(advisory(withdrawn=ISSUED),))
    _, one = found(gone, wheels(WHEEL))
    assert one.advice == ()


# --- ages -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "age"),
    [
        ("2026-01-05T06:00:00Z", Age.FRESH),
        ("2026-01-15T06:00:00Z", Age.FRESH),
        ("2026-01-16T06:00:00Z", Age.AGEING),
        ("2026-02-04T06:00:00Z", Age.AGEING),
        ("2026-02-05T06:00:00Z", Age.STALE),
        ("2036-02-05T06:00:00Z", Age.STALE),
    ],
)
def test_an_age_has_a_word(day: str, age: Age) -> None:
    """Ten days for a carrier who comes weekly, thirty for one who comes monthly."""
    today = ages.today(day, issued=ISSUED, floor=ISSUED, seen=ISSUED)
    assert (today.problem, today.age(ISSUED)) == ("", age)
    assert today.age("") is Age.NEVER


@pytest.mark.parametrize("which", ["issued", "floor", "seen"])
def test_a_clock_set_back_makes_nothing_young(which: str) -> None:
    """And is said to be wrong: ages stay what they were."""
    proof = {"issued": ISSUED, "floor": BEFORE, "seen": ISSUED}
    latest = "2026-01-17T06:00:00Z"
    honest = ages.today(latest, **{**proof, which: latest})
    back = ages.today("2025-01-17T06:00:00Z", **{**proof, which: latest})
    assert honest.problem == ""
    assert (back.at, back.days(ISSUED), back.age(ISSUED)) == (latest, 12, Age.AGEING)
    assert back.problem == (
        "this host's clock says 2025-01-17T06:00:00Z, 365 days before"
        " 2026-01-17T06:00:00Z, which has been already: set the clock; ages are counted"
        " to the later time"
    )


@pytest.mark.parametrize(
    ("now", "problem"),
    [
        ("2026-01-05T05:00:00Z", ""),
        (
            "2026-01-05T04:59:59Z",
            (
                "this host's clock says 2026-01-05T04:59:59Z, less than a day before"
                " 2026-01-05T06:00:00Z, which has been already: set the clock; ages are"
                " counted to the later time"
            ),
        ),
    ],
)
def test_two_sound_clocks_may_differ_a_little(now: str, problem: str) -> None:
    """A warning after every import would soon be read by nobody."""
    today = ages.today(now, issued=ISSUED, floor="", seen="")
    assert (today.at, today.problem) == (ISSUED, problem)


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-01-12T06:00:00Z", ""),
        ("2026-01-12T07:00:00Z", "catalogue 2 was due today"),
        ("2026-01-13T06:00:00Z", "catalogue 2 was due a day ago"),
        ("2026-01-18T06:00:00Z", "catalogue 2 was due 6 days ago"),
        (
            "2026-03-07T06:00:00Z",
            (
                "catalogue 2 was due 54 days ago; catalogue 1 was good until"
                " 2026-03-06T06:00:00Z"
            ),
        ),
    ],
)
def test_a_catalogue_that_is_late_is_missed(day: str, said: str) -> None:
    """Without any contact: silence is a finding."""
    today = ages.today(day, issued=ISSUED, floor="", seen="")
    assert ages.overdue(catalogues.of(), today) == said


# --- differences ------------------------------------------------------------------


def test_what_two_catalogues_say_otherwise_is_listed() -> None:
    """For whoever reads one page a week."""
    old = catalogues.of(
        catalogues.item("org/a"),
        catalogues.item("org/b"),
        packages=(catalogues.package("demo", "1.0"),),
        advisories=(advisory(),),
    )
    quarantined = catalogues.package("demo", "1.1", "1.0", status="quarantined")
    yanked = catalogues.version("demo", "1.0", yanked="broken")
    quarantined = replace(quarantined, versions=(quarantined.versions[0], yanked))
    new = catalogues.after(
        old,
        "2026-01-12T06:00:00Z",
        items=(
            catalogues.item("org/b", licence="mit", moved_to="org/z"),
            catalogues.item("org/c"),
        ),
        packages=(quarantined,),
        advisories=(advisory(withdrawn=ISSUED),),
    )
    assert changes.between(old, new) == (
        Change(kind="model", name="org/a", what="no longer watched"),
        Change(
            kind="model", name="org/b", what="licence", before="apache-2.0", after="mit"
        ),
        Change(kind="model", name="org/b", what="moved", after="org/z"),
        Change(kind="model", name="org/c", what="watched"),
        Change(kind="package", name="demo", what="newest", before="1.0", after="1.1"),
        Change(
            kind="package",
            name="demo",
            what="status",
            before="active",
            after="quarantined",
        ),
        Change(
            kind="package",
            name="demo",
            what="yanked",
            after="demo-1.0-py3-none-any.whl: broken",
        ),
        Change(kind="advisory", name="GHSA-1", what="withdrawn", after="it breaks"),
    )
    assert changes.between(new, new) == ()


def test_what_others_found_out_is_news_only_when_it_is() -> None:
    """Their files have another date every week; being exploited happens once."""
    told = advisory()

    def known(as_of: str, **kev: Json) -> Advisory:
        own: dict[str, Json] = {"kev": {"as_of": as_of, **kev}}
        return replace(told, record={**told.record, "database_specific": own})

    weeks = ("2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z")
    first = replace(DEMO, advisories=(known(weeks[0]),))
    second = replace(DEMO, advisories=(known(weeks[1]),))
    third = replace(DEMO, advisories=(known(weeks[2], added="2026-01-17"),))
    assert changes.between(first, second) == ()
    assert changes.between(second, third) == (
        Change(kind="advisory", name="GHSA-1", what="exploited", after="2026-01-17"),
    )
    assert changes.between(third, third) == ()


def test_a_rule_is_told_apart_from_an_advisory() -> None:
    """It is no database's word about a package."""
    made = rule.as_advisory(rule.Rule(id="SITE-1", title="it runs code"))
    assert changes.between(DEMO, replace(DEMO, advisories=(made,))) == (
        Change(kind="rule", name="SITE-1", what="published", after="it runs code"),
    )
