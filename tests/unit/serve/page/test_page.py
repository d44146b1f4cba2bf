"""The catalogue, asked without a socket: what is shown, to whom, and how safely."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift import naming
from airlift.artifact import Kind
from airlift.registry.held import Event
from airlift.registry.overview import Overview
from airlift.serve.dialect import Request
from airlift.serve.page import rendering
from airlift.serve.page.dialect import Page
from page_world import DATA, GGUF, LLM, NOW, WHEELS, World, document, read, targets
from sites import Site

FRESH = "As of delivery 3, signed 2026-03-01 12:00 UTC, 19 days ago."


# --- every page -------------------------------------------------------------------


def test_every_page_comes_whole_with_its_policy(site: World) -> None:
    """The policy is the second wall behind escaping; one page without it has none."""
    for target in targets(site):
        answer = site.get(target)
        etag = dict(answer.headers)["ETag"]
        assert (answer.status, answer.headers) == (
            200,
            (
                ("Content-Type", "text/html; charset=utf-8"),
                (
                    "Content-Security-Policy",
                    (
                        "default-src 'none'; style-src 'self'; img-src 'self' data:;"
                        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
                    ),
                ),
                ("Referrer-Policy", "no-referrer"),
                ("X-Frame-Options", "DENY"),
                ("Cache-Control", "private, no-cache"),
                ("ETag", etag),
            ),
        )


def test_no_page_has_anything_a_policy_would_have_to_stop(site: World) -> None:
    """Inline script or style would silently not work; foreign assets would leak."""
    for target in targets(site):
        page = site.read(target)
        tags = {tag for tag, _ in page.elements}
        attributes = {name for _, names in page.elements for name in names}
        assert tags & {"script", "style", "iframe", "object", "base", "embed"} == set()
        assert {one for one in attributes if one.startswith(("on", "style"))} == set()
        assert {one for one in page.links if not one.startswith(("/", "#"))} == set()


def test_every_page_can_be_walked_without_sight(site: World) -> None:
    """Landmarks, one heading of the first level, labels: what a screen reader uses."""
    for target in targets(site):
        page = site.read(target)
        tags = [tag for tag, _ in page.elements]
        for landmark in ("header", "nav", "main", "footer", "h1", "title"):
            assert tags.count(landmark) >= 1, (target, landmark)
        assert tags.count("h1") == tags.count("main") == 1, target
        assert tags.count("label") == tags.count("input") + tags.count("select")
        assert page.links[2] == "#content", "the skip link comes first"


def test_every_link_of_a_page_leads_somewhere(site: World) -> None:
    """A dead link on a page that explains everything else is worse than none."""
    seen: set[str] = set()
    todo = ["/"]
    while todo:
        target = todo.pop()
        path = target.partition("#")[0]
        if path in seen or not (path == "/" or path.startswith(("/-/", "/?"))):
            continue
        seen.add(path)
        answer = site.get(path)
        assert answer.status == 200, path
        if dict(answer.headers)["Content-Type"].startswith("text/html"):
            todo += read(answer).links
    assert len(seen) > 20


@given(name=st.from_regex(r"[\w./@=+~()-]{1,40}", fullmatch=True))
def test_a_page_never_hides_a_repository(name: str) -> None:
    """A repository may be called anything, and its clients must get to it."""
    page = Page.__new__(Page)
    request = Request(method="GET", path=f"/{name}")
    if not naming.name_problem(name):
        assert page.answer(request, None) is None  # type: ignore[arg-type]


def test_a_page_cannot_be_posted_to(site: World) -> None:
    """There is nothing here that a form of another site could do."""
    request = Request(method="POST", path="/-/models")
    answer = site.page.answer(request, site.shelf)
    assert answer is not None
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "target",
    [
        *("/-/nope", "/-/models/model", "/-/models/model/org/nope", "/-/releases/x"),
        *("/-/models/nope/org/llm", "/-/wheels/nope", "/-/imports/9", "/-/imports/x"),
        *(f"/-/releases/{'0' * 64}", "/-/imports/00000000000009", "/-/models/%00/x"),
    ],
)
def test_what_is_not_here_is_said_to_be_so(site: World, target: str) -> None:
    """In the same frame, so that a reader finds back."""
    answer = site.get(target)
    assert answer.status == 404
    assert read(answer).links[-1] == "/"


def test_assets_go_by_their_digest_and_are_kept(site: World) -> None:
    """A new release of airlift must not be shown in the clothes of the old one."""
    assets = rendering.assets()
    for name, asset in assets.by_name.items():
        answer = site.get(f"/-/assets/{name}")
        told = dict(answer.headers)
        assert (answer.status, answer.body) == (200, asset.body)
        assert told["Cache-Control"] == "public, max-age=31536000, immutable"
    assert site.get("/-/assets/style.css").status == 404
    assert site.get("/-/assets/..%2fpage.py").status == 404


def test_a_page_is_new_when_anything_it_shows_is(own: World) -> None:
    """A browser asks again each time, and may believe a 304."""

    def etag() -> str:
        return dict(own.get("/").headers)["ETag"]

    first = etag()
    assert etag() == first
    own.site.registry.log(Event(time=NOW, actor="a", action="verify"))
    assert etag() == first, "what is shown is the same"
    own.site.registry.activate([own.ids["org/waits"]], now=NOW, actor="a")
    second = etag()
    own.clock[0] = "2026-03-21T12:00:00Z"
    assert len({first, second, etag()}) == 3


def test_pages_below_a_prefix_stay_below_it(site: World) -> None:
    """Behind another server, `/` is somebody else's."""
    for target in targets(site):
        page = site.read(target, base="https://host/air/lift")
        inside = [one for one in page.links if not one.startswith("#")]
        assert {one for one in inside if not one.startswith("/air/lift/")} == set()


# --- the overview -------------------------------------------------------------------


def test_the_overview_says_what_is_held_and_how_old_that_is(site: World) -> None:
    """The age is counted from the signature, and the page says as of what."""
    page = site.read("/")
    assert page.said("p")[0] == FRESH
    assert page.said("dd") == [
        *("6", "8.44 kB", "1", "to be looked at", "0", "held, not served"),
        *("8.44 kB", "4 B shared"),
    ]
    assert page.said("li")[6:8] == [
        (
            "1 release waits in quarantine. Somebody is to look, then airlift activate."
            " Look at it: 1 release waits in quarantine."
        ),
        "model repository 7.01 kB",
    ]


def test_an_empty_site_says_what_to_do(tmp_path: Path) -> None:
    """The first thing a new user sees."""
    empty = Site(tmp_path)
    page = Page(Overview.open(empty.home), lambda: NOW)
    shelf = empty.registry.shelf(empty.store)
    for target, told in (
        ("/", "Nothing was imported yet. Bring a delivery and run airlift import."),
        ("/-/storage", "Nothing is stored yet."),
        ("/-/imports", "Nothing was imported yet."),
        ("/-/wheels", "No wheels are live here."),
        ("/-/models", "Nothing here matches. Show everything."),
    ):
        answer = page.answer(Request(method="GET", path=target), shelf)
        assert answer is not None
        said = read(answer).said("p")
        assert told in said
        assert "No delivery was imported yet: nothing is known here." in said


def warned(one: World) -> list[str]:
    """Return what the overview warns of."""
    answer = one.get("/")
    assert isinstance(answer.body, bytes)
    start, end = b'aria-labelledby="warnings"', b"</section>"
    _, _, rest = answer.body.partition(start)
    part = rest.partition(end)[0].decode()
    return [
        " ".join(line.split(">", 1)[1].split("<")[0].split())
        for line in part.split("<strong")[1:]
    ]


WAITS = "1 release waits in quarantine."


def test_old_knowledge_is_warned_of(own: World) -> None:
    """What was withdrawn since is not known here, and nobody else will say so."""
    own.clock[0] = "2026-05-01T12:00:00Z"
    assert warned(own) == [
        (
            "The newest delivery was signed 61 days ago. What has changed upstream since"
            " then, withdrawals too, is not known here."
        ),
        "Signed metadata has expired: timestamp.",
        WAITS,
    ]


def test_a_root_that_ends_and_bytes_not_verified_are_warned_of(own: World) -> None:
    """Both need somebody far away, or hours: they are said early."""
    own.clock[0] = "2028-12-24T12:00:00Z"
    assert warned(own)[1:] == [
        "The root of trust expires on 2029-02-28 12:00 UTC.",
        "Signed metadata has expired: timestamp, snapshot, targets, site-plant7.",
        WAITS,
        "The stored bytes were not verified since they were imported.",
    ]


def test_a_clock_before_what_is_verified_is_warned_of(own: World) -> None:
    """Every age on the page would be wrong, and an old delivery would look new."""
    own.clock[0] = "2025-01-01T00:00:00Z"
    assert warned(own)[0] == (
        "This host&#39;s clock says 2025-01-01 00:00 UTC, which is before 2026-03-01"
        " 12:00 UTC, a time that is verified. Ages below are wrong."
    )
    assert own.read("/").said("p")[0] == (
        "As of delivery 3, signed 2026-03-01 12:00 UTC, by this host's clock not yet."
    )


def test_a_refused_import_is_warned_of_until_one_succeeds(own: World) -> None:
    """Whoever opens the page may not be who typed the command."""
    problem = {"problem": "signed by nobody <b>known</b>"}
    told = Event(
        time=NOW, actor="a", action="import", outcome="refused", detail=problem
    )
    own.site.registry.log(told)
    assert warned(own) == [
        (
            "The last import was refused, 2026-03-20 12:00 UTC: signed by nobody"
            " &lt;b&gt;known&lt;/b&gt;."
        ),
        WAITS,
    ]
    own.bring()
    assert warned(own) == [WAITS]


def test_bad_blobs_found_last_are_warned_of(own: World) -> None:
    """Rot is found by a timer in the night."""
    told = Event(time=NOW, actor="a", action="verify", outcome="failed")
    own.site.registry.log(told)
    assert warned(own)[0] == (
        "The last verification of the store, 2026-03-20 12:00 UTC, found bad blobs."
    )
    own.site.registry.log(Event(time=NOW, actor="a", action="verify"))
    assert warned(own) == [WAITS]


def test_deliveries_that_never_came_are_warned_of(own: World) -> None:
    """A disc that got lost on the way is noticed by nobody else."""
    for _ in range(2):
        own.site.verified()
    own.bring()
    own.site.verified()
    own.bring()
    assert warned(own)[-1] == "Deliveries that never came here: 4 to 5, 7."


# --- the list -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", [LLM, GGUF, DATA, "org/waits", "ns/chat", WHEELS]),
        ("q=ORG+LLM", [LLM, GGUF]),
        ("q=far/away", [GGUF]),
        ("q=nothing+at+all", []),
        ("kind=dataset", [DATA]),
        ("kind=<script>", [LLM, GGUF, DATA, "org/waits", "ns/chat", WHEELS]),
        ("state=quarantine", ["org/waits"]),
        ("state=denied", []),
        ("sort=-size&q=llm", [LLM, GGUF]),
        ("sort=size&q=llm", [GGUF, LLM]),
        ("sort=-name&q=org", ["org/waits", DATA, GGUF, LLM]),
        ("page=99&q=chat", ["ns/chat"]),
        ("page=-1&q=chat", ["ns/chat"]),
        ("sort=__class__&q=chat", ["ns/chat"]),
    ],
)
def test_the_list_is_searched_filtered_and_sorted_by_its_address(
    site: World, query: str, names: list[str]
) -> None:
    """It works without script, and an address can be passed on."""
    page = site.read(f"/-/models?{query}")
    found = [one.split()[0] for one in page.said("th")[8:]]
    assert sorted(found) == sorted(names)
    if "sort" in query:
        assert found == names


def test_the_list_shows_each_name_once_by_its_newest_live_release(site: World) -> None:
    """What clients get under the name, and that there is more."""
    page = site.read("/-/models?q=org/llm&kind=model")
    assert page.said("th")[8] == f"{LLM} 2 releases"
    assert f"/-/releases/{site.ids[f'{LLM} 2']}" in page.links


def test_a_long_list_is_cut_into_pages(own: World) -> None:
    """A browser is not sent a thousand rows."""
    own.site.hold(b"x")
    many = [document(Kind.MODEL, f"bulk/m{n:03}", {"f": b"x"}) for n in range(120)]
    own.bring(*many)
    first, last = (own.read(f"/-/models?q=bulk&page={n}") for n in (1, 3))
    assert first.said("p")[1] == "1 to 50 of 120 names"
    assert last.said("p")[1] == "101 to 120 of 120 names"
    assert first.said("th")[8] == "bulk/m000"
    assert last.said("th")[-1] == "bulk/m119"
    assert "/-/models?q=bulk&page=2" in first.links
    assert "/-/models?q=bulk&page=4" not in last.links
