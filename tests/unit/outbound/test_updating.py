"""What is new upstream: named whole, per site, and never silently unchanged."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.artifact import ContentClass, Kind, Wish
from airlift.errors import RequestError
from airlift.format.receipt import Gap
from airlift.format.state import SiteState
from airlift.outbound import updating
from airlift.outbound.news import State
from airlift.outbound.standing import Confirmed, Means, Standing
from airlift.outbound.updating import Survey
from airlift.payload.changes import Extent
from airlift.payload.face import Tensor
from airlift.payload.sides import FileChange, Risk, ValueChange
from crossing import NOW
from hubs import gguf_file
from hubs.faults import Fault
from hubs.hub import Hub
from hubs.ollama_registry import IMAGE, OllamaRegistry
from hubs.repository import Repo
from hubs.wheelhouse import Wheelhouse
from moving import Desk, model, tensors

CHAT = "{% for m in messages %}\n{{ m.content }}\n{% endfor %}"
FILES = {
    "LICENSE": b"the licence",
    "README.md": b"# tiny",
    "config.json": b'{"hidden_size": 8, "model_type": "llama"}',
    "model.safetensors": tensors({"a": ("F32", (64, 512)), "b": ("F32", (64, 512))}),
    "tokenizer_config.json": json.dumps({"chat_template": CHAT}).encode(),
}
PICKLE = b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94."


@pytest.fixture
def repo() -> Repo:
    """A repository with one commit."""
    repo = Repo("org/tiny", card={"license": "mit"})
    repo.commit(dict(FILES))
    return repo


@pytest.fixture
def hub(repo: Repo) -> Iterator[Hub]:
    """A hub with that repository and another."""
    other = Repo("org/other", card={"license": "mit"})
    other.commit({"config.json": b"{}"})
    with Hub(repo, other) as hub:
        yield hub


@pytest.fixture
def desk(tmp_path: Path, hub: Hub) -> Desk:
    """A connected side with two sites that asks the hub."""
    return Desk(tmp_path, {"huggingface": hub.url}, ("plant7", "plant8"))


def test_what_was_never_sent_is_new(desk: Desk, repo: Repo) -> None:
    """The first look is at everything, and is what a first approval goes by."""
    news = desk.news(model())
    (item,) = news.items
    assert (item.state, item.before, news.last) == (State.NEW, None, 0)
    assert news.full == sum(map(len, FILES.values()))
    assert news.estimates == ()
    assert [path for _, path in news.unfetched] == sorted(FILES)
    assert item.changes is not None
    assert item.changes.after == repo.branches["main"]
    (weights,) = item.changes.tensors
    assert (sorted(weights.added), weights.parameters) == (["a", "b"], 65536)
    (template,) = item.changes.templates
    assert (template.name, template.after) == ("default", CHAT)


def test_what_was_sent_and_did_not_move_is_unchanged(desk: Desk, hub: Hub) -> None:
    """A week without news costs a listing, and not one byte of a file."""
    desk.send(model())
    sent = hub.sent()
    news = desk.news(model())
    (item,) = news.items
    assert item.state is State.UNCHANGED
    assert item.changes is not None
    assert item.changes.is_nothing
    assert (news.is_news, news.is_complete, news.last) == (False, True, 1)
    assert hub.sent() == sent


def test_a_new_commit_is_told_to_the_last_key(desk: Desk, hub: Hub, repo: Repo) -> None:
    """The person who approves sees weights, template, licence and danger in one place."""
    desk.send(model())
    before, sent = repo.branches["main"], hub.sent("model.safetensors")
    changed = {
        "LICENSE": b"another licence",
        "config.json": b'{"hidden_size": 16, "model_type": "llama"}',
        "extra.bin": PICKLE,
        "model.safetensors": tensors(
            {"a": ("BF16", (64, 512)), "c": ("F32", (8, 8192))}, seed=2
        ),
        "tokenizer_config.json": json.dumps(
            {"chat_template": CHAT.replace("{{", "{{ m.role }}: {{")}
        ).encode(),
    }
    files = {path: data for path, data in FILES.items() if path != "README.md"}
    files |= changed
    after = repo.commit(files)
    repo.card["license"] = "llama3"
    found = desk.item(model()).changes
    assert found is not None
    assert (found.before, found.after) == (before, after)
    assert found.extent is Extent.ARCHITECTURE
    assert found.added == (FileChange(path="extra.bin", after=len(PICKLE)),)
    assert found.removed == (FileChange(path="README.md", before=6),)
    assert [one.path for one in found.changed] == sorted(changed.keys() - {"extra.bin"})
    assert found.stated == (
        ValueChange(path="", key="licence", before="mit", after="llama3"),
    )
    assert [one.path for one in found.licences] == ["LICENSE"]
    assert found.risks == (Risk(path="extra.bin", content_class=ContentClass.PICKLE),)
    assert found.settings == (
        ValueChange(path="config.json", key="hidden_size", before="8", after="16"),
    )
    (template,) = found.templates
    assert template.lines == (
        "@@ -1,3 +1,3 @@",
        " {% for m in messages %}",
        "-{{ m.content }}",
        "+{{ m.role }}: {{ m.content }}",
        " {% endfor %}",
    )
    (weights,) = found.tensors
    assert dict(weights.added) == {"c": Tensor("F32", (8, 8192))}
    assert dict(weights.removed) == {"b": Tensor("F32", (64, 512))}
    (retyped,) = weights.reshaped
    assert (retyped.name, retyped.before.dtype, retyped.after.dtype) == (
        *("a", "F32", "BF16"),
    )
    assert (weights.kept, weights.parameters) == (0, 32768)
    assert found.unread == ()
    assert 0 < hub.sent("model.safetensors") - sent <= 1 << 16


def test_a_second_look_asks_for_no_file_again(desk: Desk, hub: Hub, repo: Repo) -> None:
    """What was seen is kept: the lock is written by another run than the one read."""
    desk.send(model())
    repo.commit({**FILES, "config.json": b'{"hidden_size": 16}'})
    first = desk.item(model())
    sent = hub.sent()
    again = desk.item(model())
    assert first.changes == again.changes
    assert hub.sent() == sent


def test_renamed_tensors_are_recognised(desk: Desk, repo: Repo) -> None:
    """A new naming is no new architecture, and still breaks whoever loads by name."""
    desk.send(model())
    shapes = {f"model.{name}": ("F32", (64, 512)) for name in "ab"}
    repo.commit({**FILES, "model.safetensors": tensors(shapes)})
    found = desk.item(model()).changes
    assert found is not None
    assert found.extent is Extent.WEIGHTS
    assert [one.renamed for one in found.tensors] == [True]


def test_shards_cut_anew_change_no_tensor(desk: Desk, repo: Repo) -> None:
    """File names of shards change with every export; the model may be the same."""
    parts = [tensors({name: ("F32", (8, 8))}) for name in "ab"]
    both = tensors(dict.fromkeys("ab", ("F32", (8, 8))))
    names = ("m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors")
    repo.commit(dict(zip(names, parts, strict=True)))
    desk.send(model())
    repo.commit({"m-00001-of-00001.safetensors": both})
    found = desk.item(model()).changes
    assert found is not None
    assert [(one.is_same, one.kept) for one in found.tensors] == [(True, 2)]
    assert found.extent is Extent.WEIGHTS


def test_new_prose_is_documentation_only(desk: Desk, repo: Repo) -> None:
    """Most commits upstream are of this sort, and need another sort of approval."""
    desk.send(model())
    repo.commit({**FILES, "README.md": b"# tiny, explained"})
    found = desk.item(model()).changes
    assert found is not None
    assert found.extent is Extent.DOCUMENTATION


def test_a_commit_that_touches_nothing_carried_is_still_one(
    desk: Desk, repo: Repo
) -> None:
    """Clients are told the commit: a site that is behind says another one."""
    wish = model(include=("*.json",))
    desk.send(wish)
    repo.commit({**FILES, "README.md": b"# tiny, explained"})
    item = desk.item(wish)
    assert item.changes is not None
    assert (item.state, item.changes.extent) == (State.CHANGED, Extent.REVISION)


def test_a_changed_template_alone_is_behaviour(desk: Desk, repo: Repo) -> None:
    """Behaviour and injection change without any weight changing."""
    desk.send(model())
    repo.commit({**FILES, "chat_template.jinja": b"{{ messages }}"})
    found = desk.item(model()).changes
    assert found is not None
    assert found.extent is Extent.BEHAVIOUR
    assert [(one.path, one.after) for one in found.templates] == [
        ("chat_template.jinja", "{{ messages }}")
    ]


def test_sites_at_different_versions_are_told_apart(desk: Desk, repo: Repo) -> None:
    """What is old news for one site is new for another."""
    desk.send(model())
    first = repo.branches["main"]
    repo.commit({**FILES, "config.json": b"{}"})
    desk.send(model(), site="plant8")
    office = desk.office()
    survey = Survey(updating.ask([model()], office), office)
    states = {}
    for site in ("plant7", "plant8"):
        (item,) = survey.of(site).items
        assert item.before is not None
        states[site] = (item.state, item.before.release.revision)
    assert states == {
        "plant7": (State.CHANGED, first),
        "plant8": (State.UNCHANGED, repo.branches["main"]),
    }


def test_a_branch_that_went_back_is_a_change(desk: Desk, repo: Repo) -> None:
    """A withdrawn commit must not look unchanged because it was sent once before."""
    first = repo.branches["main"]
    desk.send(model())
    second = repo.commit({**FILES, "config.json": b"{}"})
    desk.send(model())
    repo.branches["main"] = first
    found = desk.item(model()).changes
    assert found is not None
    assert (found.before, found.after) == (second, first)


@pytest.mark.parametrize("case", ["gone", "gated", "licence", "tag"])
def test_what_is_lost_upstream_is_said_and_kept(
    case: str, desk: Desk, hub: Hub, repo: Repo
) -> None:
    """One entry that fails takes nothing from the others, and is never unchanged."""
    wish = Wish(
        kind=Kind.MODEL,
        name="org/tiny",
        options={"revision": "v1", "licences": ("mit",)},
    )
    repo.git_tags["v1"] = repo.branches["main"]
    desk.send(wish, model("org/other"))
    match case:
        case "gone":
            hub.remove("org/tiny")
        case "gated":
            repo.gated = True
        case "licence":
            repo.card["license"] = "other"
        case _:
            del repo.git_tags["v1"]
    news = desk.news(wish, model("org/other"))
    lost, kept = news.items
    states = {"gone": State.GONE, "gated": State.GATED}
    assert lost.state is states.get(case, State.UNFIT)
    assert lost.before is not None
    assert lost.before.release.revision == repo.branches["main"]
    assert lost.answer.problem
    assert kept.state is State.UNCHANGED
    assert (news.is_complete, news.is_news) == (False, False)


def test_a_hub_that_is_down_leaves_the_rest_standing(
    tmp_path: Path, repo: Repo
) -> None:
    """Half an answer is an answer, as long as it says which half is missing."""
    with Hub(repo) as hub, OllamaRegistry() as registry:
        registry.push("library/tiny:latest", [(f"{IMAGE}.model", b"weights")])
        endpoints = {"huggingface": hub.url, "ollama": registry.url}
        desk = Desk(tmp_path, endpoints)
        ollama = Wish(kind=Kind.OLLAMA, name="tiny")
        other = Wish(kind=Kind.OLLAMA, name="other")
        desk.send(model(), ollama)
        repo.commit({**FILES, "config.json": b"{}"})
        registry.status = 503
        news = desk.news(model(), ollama, other)
    states = [item.state for item in news.items]
    assert states == [State.CHANGED, State.FAILED, State.FAILED]
    before = news.items[1].before
    assert before is not None
    assert before.release.name == "library/tiny"
    assert (news.is_news, news.is_complete) == (True, False)
    # Five tries for the first entry, one for each after it.
    assert desk.pauses == [1.0, 2.0, 4.0, 8.0]


def test_a_file_that_cannot_be_looked_into_is_named(
    desk: Desk, hub: Hub, repo: Repo
) -> None:
    """A change nobody could see must not pass for one without consequences."""
    desk.send(model())
    repo.commit({**FILES, "config.json": b'{"hidden_size": 16}'})
    hub.break_file("config.json", Fault(status=404))
    news = desk.news(model())
    (item,) = news.items
    assert item.changes is not None
    assert item.changes.unread == ("config.json",)
    assert len(item.unread) == 1
    assert item.unread[0].startswith("config.json: ")
    assert not news.is_complete


def test_what_does_not_hash_to_its_listing_is_not_shown(
    desk: Desk, hub: Hub, repo: Repo
) -> None:
    """A text that is not the one that will be carried must not be approved from."""
    desk.send(model())
    repo.commit({**FILES, "config.json": b'{"hidden_size": 16}'})
    hub.break_file("config.json", Fault(flip=3))
    (item,) = desk.news(model()).items
    assert item.changes is not None
    assert item.changes.settings == ()
    assert item.changes.unread == ("config.json",)
    assert "upstream states" in item.unread[0]


def test_what_a_site_holds_is_no_part_of_the_estimate(desk: Desk, repo: Repo) -> None:
    """Small files have no SHA-256 upstream; that they were sent is known by git's id."""
    desk.send(model())
    repo.commit({**FILES, "config.json": b'{"hidden_size": 16}'})
    news = desk.news(model())
    (estimate,) = news.estimates
    size = len(b'{"hidden_size": 16}')
    assert (estimate.build_on, estimate.carried, estimate.unknown) == (
        *("last", size, size),
    )
    assert news.full == sum(map(len, FILES.values())) - 41 + size
    assert news.unfetched == ((0, "config.json"),)


def test_the_smallest_delta_comes_first(desk: Desk, repo: Repo) -> None:
    """An older delivery may hold what the last one does not."""
    desk.send(model())
    desk.send(model("org/other"))
    repo.commit({**FILES, "config.json": b'{"hidden_size": 16}'})
    news = desk.news(model())
    assert [one.build_on for one in news.estimates] == ["all", "last"]
    all_, last = (one.carried for one in news.estimates)
    assert all_ < last
    assert [one.release.name for one in news.left] == ["org/other"]


def test_a_newer_tag_that_does_not_fit_is_noted(desk: Desk, repo: Repo) -> None:
    """Unchanged, and yet there is something to know."""
    wish = model(version=">=1", **{"max-size": "1MB"})
    repo.git_tags["v1.0"] = repo.branches["main"]
    desk.send(wish)
    large = tensors({"a": ("F32", (1024, 512))})
    repo.git_tags["v1.1"] = repo.commit({**FILES, "model.safetensors": large})
    item = desk.item(wish)
    # Of the refs that were sent, `main` points elsewhere by now.
    assert item.changes is not None
    assert (item.changes.before, item.changes.extent) == (
        *(item.changes.after, Extent.DOCUMENTATION),
    )
    assert item.answer.pinned is not None
    (note,) = item.answer.pinned.notes
    assert note.startswith("v1.1 is newer and does not fit: `org/tiny` has ")


def test_two_branches_of_one_repository_are_followed_apart(
    desk: Desk, repo: Repo
) -> None:
    """Each is compared with what was sent for it, not with the other."""
    repo.commit({"config.json": b'{"a": 1}'}, branch="dev")
    wishes = model(revision="main"), model(revision="dev")
    desk.send(*wishes)
    repo.commit({"config.json": b'{"a": 2}'}, branch="dev")
    news = desk.news(*reversed(wishes))
    dev, main = news.items
    assert (dev.state, main.state) == (State.CHANGED, State.UNCHANGED)
    assert dev.changes is not None
    assert dev.changes.settings == (
        ValueChange(path="config.json", key="a", before="1", after="2"),
    )


def test_wheels_are_told_by_version_and_yanked_by_reason(tmp_path: Path) -> None:
    """An index withdraws a version without changing a byte of it."""
    with Wheelhouse() as index:
        name = index.add("tool", "1.0")
        index.add("helper", "2.0")
        desk = Desk(tmp_path, {"wheels": index.url})
        wish = Wish(
            kind=Kind.WHEELS,
            name="runtime",
            options={
                "requirements": ("tool>=1,<2", "helper==2.0"),
                "python": ("3.12",),
                "platform": ("x86_64-manylinux_2_28",),
            },
        )
        desk.send(wish)
        assert desk.item(wish).state is State.UNCHANGED
        index.shelved["helper-2.0-py3-none-any.whl"].said["yanked"] = "a hole"
        index.add("tool", "1.1")
        index.add("tool", "2.0")
        found = desk.item(wish).changes
    assert found is not None
    assert found.extent is Extent.PACKAGES
    assert found.packages == (
        ValueChange(path="", key="tool", before="1.0", after="1.1"),
    )
    assert name in {one.path for one in found.removed}
    assert [(one.path, one.key, one.after) for one in found.facts] == [
        ("helper-2.0-py3-none-any.whl", "yanked", '"a hole"')
    ]


def test_another_quantisation_is_compared_with_the_one_before(
    tmp_path: Path,
) -> None:
    """The file has another name; its template and tensors still correspond."""

    def file(kind: int, chat: str) -> bytes:
        made = gguf_file.Gguf(
            keys=[
                gguf_file.string("general.architecture", "llama"),
                gguf_file.string("tokenizer.chat_template", chat),
            ],
            tensors=[gguf_file.tensor("blk.0.w", [64], kind=kind)],
        )
        return made.whole(bytes({24: 64, 0: 256}[kind]))

    repo = Repo("org/tiny")
    repo.commit({"tiny-Q8_0.gguf": file(24, "old")})
    with Hub(repo) as hub:
        desk = Desk(tmp_path, {"huggingface": hub.url})
        wish = Wish(kind=Kind.GGUF, name="org/tiny", options={"max-size": "1MB"})
        desk.send(wish)
        repo.commit({"tiny-F32.gguf": file(0, "new")})
        found = desk.item(wish).changes
    assert found is not None
    (weights,) = found.tensors
    assert [(one.before.dtype, one.after.dtype) for one in weights.reshaped] == [
        ("I8", "F32")
    ]
    assert [(one.before, one.after) for one in found.templates] == [("old", "new")]
    assert ("quantisation", '"Q8_0"', '"F32"') in [
        (one.key, one.before, one.after) for one in found.stated
    ]


def test_the_layers_of_an_ollama_model_have_names(tmp_path: Path) -> None:
    """Its files are called by their digests; people know template and licence."""
    weights = gguf_file.model(1000)
    with OllamaRegistry() as registry:

        def push(chat: bytes, licence: bytes, settings: bytes) -> None:
            registry.push(
                "library/tiny:latest",
                [
                    (f"{IMAGE}.model", weights),
                    (f"{IMAGE}.template", chat),
                    (f"{IMAGE}.license", licence),
                    (f"{IMAGE}.params", settings),
                ],
            )

        push(b"{{ .Prompt }}", b"MIT", b'{"stop": ["a"]}')
        desk = Desk(tmp_path, {"ollama": registry.url})
        wish = Wish(kind=Kind.OLLAMA, name="tiny")
        desk.send(wish)
        push(b"{{ .System }}{{ .Prompt }}", b"mine", b'{"stop": ["b"]}')
        found = desk.item(wish).changes
    assert found is not None
    assert found.extent is Extent.BEHAVIOUR
    assert [one.path for one in found.changed] == [
        *("license", "manifest.json", "params", "template"),
    ]
    assert [(one.before, one.after) for one in found.templates] == [
        ("{{ .Prompt }}", "{{ .System }}{{ .Prompt }}")
    ]
    assert found.settings == (
        ValueChange(path="params", key="stop", before='["a"]', after='["b"]'),
    )
    assert [one.path for one in found.licences] == ["license"]


def test_a_site_that_is_none_is_refused(desk: Desk) -> None:
    """A typing error must not read as a site that was never sent anything."""
    with pytest.raises(RequestError) as caught:
        desk.news(model(), site="plant9")
    assert "plant9" in str(caught.value)


def test_what_a_site_never_took_has_to_be_sent_again(desk: Desk) -> None:
    """A lost medium must not leave its content unchanged for ever."""
    desk.send(model())
    assert desk.item(model()).state is State.UNCHANGED
    said = Confirmed(
        state=SiteState(site="plant7", sequence=1, releases=(), lacking=()),
        means=Means.RECEIPT,
        time=NOW,
        missed=(Gap(first=1, last=1),),
    )
    desk.dock.ledger.keep_standing("plant7", Standing(confirmed=said))
    news = desk.news(model())
    assert (news.items[0].state, news.lost) == (State.NEW, (1,))


def test_what_a_site_deleted_has_to_be_sent_again(desk: Desk) -> None:
    """It took the delivery and says that nothing of this artifact is left."""
    desk.send(model(), model("org/other"))
    ids = desk.dock.ledger.entries("plant7")[0].record.releases
    news = desk.news(model(), model("org/other"))
    kept = [one.before.id for one in news.items if one.before]
    assert sorted(kept) == sorted(ids)
    said = Confirmed(
        state=SiteState(site="plant7", sequence=1, releases=(kept[1],), lacking=()),
        means=Means.RECEIPT,
        time=NOW,
    )
    desk.dock.ledger.keep_standing("plant7", Standing(confirmed=said))
    news = desk.news(model(), model("org/other"))
    assert [one.state for one in news.items] == [State.NEW, State.UNCHANGED]


def test_what_a_site_confirmed_is_what_to_build_on(desk: Desk, repo: Repo) -> None:
    """Certain comes before small: a delivery that is refused costs a trip."""
    desk.send(model())
    (id_,) = desk.dock.ledger.entries("plant7")[0].record.releases
    said = Confirmed(
        state=SiteState(site="plant7", sequence=1, releases=(id_,), lacking=()),
        means=Means.RECEIPT,
        time=NOW,
    )
    desk.dock.ledger.keep_standing("plant7", Standing(confirmed=said))
    desk.send(model("org/other"))
    repo.commit({**FILES, "config.json": b"{}"})
    news = desk.news(model(), model("org/other"))
    assert [one.build_on for one in news.estimates] == ["all", "confirmed", "last"]
    assert news.advised is not None
    assert news.advised.build_on == "confirmed"
    sure = [one.before.confirmed for one in news.items if one.before]
    assert sure == [True, False]


def test_a_look_that_was_damaged_on_disk_is_taken_again(
    desk: Desk, hub: Hub, repo: Repo
) -> None:
    """It is only a copy: no reason to stop, and none to believe it."""
    desk.send(model())
    repo.commit({**FILES, "config.json": b'{"hidden_size": 16}'})
    first = desk.item(model())
    (look,) = (desk.home / "looks").iterdir()
    look.write_bytes(look.read_bytes()[:-5])
    assert desk.item(model()).changes == first.changes
    assert hub.sent("config.json") == 41 + 2 * 19
