"""What people cosigned of a log nobody else can write again."""

import base64
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from airlift.cli import log_export
from airlift.digest import Sha256
from airlift.errors import FormatError, RequestError, TrustError
from airlift.format import checkpoint as notes
from airlift.format import cosignature as lines
from airlift.format.checkpoint import Checkpoint
from airlift.inbound import log_check
from airlift.registry.cosigning import Believed
from airlift.registry.held import Event
from airlift.registry.logbook import Logbook
from airlift.trust import cosignature, site_key
from airlift.trust.keys import UnlockedKey
from airlift.trust.schemes import SCHEMES
from authority import NOW, key
from independent import log as second
from independent.record import RefusedError
from policies import document, made
from sites import Site

VERIFIER = Path(__file__).parents[3] / "scripts" / "verify_log.py"
LATER = "2026-03-31T18:00:00Z"


@dataclass
class World:
    """A site with a key and a policy that names bob, carol and dora."""

    site: Site
    home: Path

    @property
    def book(self) -> Logbook:
        """Its log."""
        return Logbook(self.home)

    def cosign(self, who: UnlockedKey, *, at: str = LATER) -> Event:
        """Have somebody cosign."""
        event = self.book.cosign(who, at=at, actor="me")
        self.site.registry.log(event)
        return event

    def happen(self) -> None:
        """Let something else happen."""
        self.site.registry.log(Event(time=NOW, actor="me", action="note"))


def begun(folder: Path, *people: str) -> World:
    """Return a site whose log has a few events."""
    site = Site(folder)
    own = site_key.create(site.home, "plant7")
    detail = {"key_id": str(own.public.key_id)}
    site.registry.log(Event(time=NOW, actor="me", action="site-key", detail=detail))
    if people:
        told = made(people=people)
        site.side.publisher.set_policy(document(told), site.side.signers, NOW)
    site.model("org/one", b"1")
    return World(site, site.home)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return begun(tmp_path, "bob", "carol", "dora")


def test_two_people_cosign_the_same_as_long_as_nothing_else_happens(
    world: World,
) -> None:
    """Two signatures of one state of the log are a statement of two people."""
    size = world.book.head().size
    first, other = world.cosign(key("bob")), world.cosign(key("carol"))
    assert (first.detail["size"], other.detail["size"]) == (size, size)
    world.happen()
    third = world.cosign(key("dora"))
    assert third.detail["size"] == size + 3
    assert world.book.cosigned() == (
        Believed(size=size, by="bob", at=LATER, says=True),
        Believed(size=size, by="carol", at=LATER, says=True),
        Believed(size=size + 3, by="dora", at=LATER, says=True),
    )
    found = log_check.check(world.home, deep=True)
    assert (found.faults, found.cosigned) == ((), world.book.cosigned())


def test_nobody_cosigns_the_same_twice(world: World) -> None:
    """One person with a lot of time is still one person."""
    size = world.book.head().size
    world.cosign(key("bob"))
    with pytest.raises(RequestError) as caught:
        world.cosign(key("bob"))
    assert str(caught.value) == f"`bob` has cosigned these {size} events"


def test_only_who_has_a_say_at_the_site_cosigns(world: World) -> None:
    """A word that anybody can give is worth nothing to an auditor."""
    with pytest.raises(TrustError) as caught:
        world.cosign(key("mallory"))
    assert str(caught.value) == (
        "the key of `mallory` has no say at this site; those of bob, carol, dora have"
    )
    stolen = key("bob", "ecdsa-sha2-nistp256")  # the right name, and another key
    with pytest.raises(TrustError, match="the key of `bob` has no say at this site"):
        world.cosign(stolen)
    assert world.book.cosignatures() == ()


def test_without_a_policy_the_approvers_of_the_root_cosign(tmp_path: Path) -> None:
    """As for what they may take late: somebody is always there who may."""
    world = begun(tmp_path)
    (first, *_) = world.site.side.signers
    world.cosign(first)
    assert [one.by for one in world.book.cosigned()] == [first.public.name]


def test_a_log_that_is_not_signed_to_its_end_is_not_cosigned(tmp_path: Path) -> None:
    """What a person cosigns is the site's own word, to the last line."""
    site = Site(tmp_path)
    site.model("org/one", b"1")
    with pytest.raises(RequestError) as caught:
        Logbook(site.home).cosign(site.side.signers[0], at=NOW, actor="me")
    assert str(caught.value) == "the log is not signed to its end"


def test_a_cosignature_is_never_of_before_what_is_verified(world: World) -> None:
    """A clock that was turned back dates no word back."""
    floor = world.site.registry.trust_state().floor
    world.cosign(key("bob"), at="2020-01-01T00:00:00Z")
    (one,) = world.book.cosigned()
    assert one.at == floor > "2020-01-01T00:00:00Z"


def test_whose_key_counts_no_more_is_said_so(world: World) -> None:
    """Their word stays on record, and an auditor is told what it is worth now."""
    world.cosign(key("bob"))
    told = made(2, people=("carol", "dora"))
    world.site.side.publisher.set_policy(document(told), world.site.side.signers, NOW)
    world.site.model("org/two", b"2")
    assert [(one.by, one.says) for one in world.book.cosigned()] == [("bob", False)]
    assert log_check.check(world.home).faults == ()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_kind_of_key_cosigns_and_both_verifiers_know_it(
    tmp_path: Path, scheme: str
) -> None:
    """Whoever checks has neither airlift nor a list of what it can."""
    world = begun(tmp_path, "bob", "carol")
    who = key("bob", scheme)
    told = notes.decode(world.book.newest().note).checkpoint
    line = cosignature.sign(who, told, at=LATER)
    assert cosignature.believe(line, who.public, told) == LATER
    by = cosignature.cosigner(who.public)
    folder = exported(world, tmp_path / "out")
    (folder / "cosigned").mkdir()
    note = lines.joined(world.book.newest().note, [line])
    (folder / "cosigned" / f"{told.size:08d}").write_bytes(note)
    (folder / "cosigners").write_text(f"# bob\n{by.verifier_key}\n")
    assert verdicts(folder, by.verifier_key) == ("", "")
    other = cosignature.cosigner(key("carol", scheme).public).verifier_key
    assert all(verdicts(folder, other))


def exported(world: World, folder: Path) -> Path:
    """Return the folder that the log of *world* is carried away in."""
    log_export.write(world.book, folder)
    return folder


def shipped() -> ModuleType:
    """Return the verifier that airlift ships."""
    spec = importlib.util.spec_from_file_location("verify_log", VERIFIER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHIPPED = shipped()
WRONG = (SHIPPED.Wrong, OSError, ValueError, KeyError, TypeError)


def verdicts(folder: Path, *people: str) -> tuple[str, str]:
    """Return what both verifiers have against *folder*; empty if nothing."""
    own = (folder / "keys").read_text().splitlines()
    said = []
    for check in (
        lambda: SHIPPED.check(folder, own, [], people),
        lambda: second.verify(folder, own, people=people),
    ):
        try:
            check()
            said.append("")
        except (RefusedError, *WRONG) as error:
            said.append(str(error) or type(error).__name__)
    return said[0], said[1]


@pytest.fixture(name="carried", scope="module")
def _carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("carried")
    world = begun(folder, "bob", "carol")
    world.cosign(key("bob"))
    world.cosign(key("carol"))
    return exported(world, folder / "out")


def test_a_carried_log_says_who_cosigned_it(carried: Path) -> None:
    """In C2SP's form, with whose keys they are for people."""
    text = (carried / "cosigners").read_text()
    assert text.splitlines()[::2] == ["# bob, ed25519", "# carol, ed25519"]
    keys = text.splitlines()[1::2]
    assert keys == [
        cosignature.cosigner(key(one).public).verifier_key for one in ("bob", "carol")
    ]
    assert [one.name for one in (carried / "cosigned").iterdir()] == ["00000004"]
    assert verdicts(carried, *keys) == ("", "")


def swapped(data: bytes) -> bytes:
    """Return *data* with one letter in the middle of its last line another."""
    at = len(data) - 40
    return data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :]


SPOILS: dict[str, Callable[[Path], object]] = {
    "a cosignature changed": lambda at: (at / "cosigned/00000004").write_bytes(
        swapped((at / "cosigned/00000004").read_bytes())
    ),
    "of another size": lambda at: (at / "cosigned/00000004").rename(
        at / "cosigned/00000003"
    ),
    "a cosigner not listed": lambda at: (at / "cosigners").write_text(
        "\n".join((at / "cosigners").read_text().splitlines()[:2]) + "\n"
    ),
    "cosigners away": lambda at: (at / "cosigners").unlink(),
    "cosignatures away": lambda at: shutil.rmtree(at / "cosigned"),
    "another root": lambda at: (at / "cosigned/00000004").write_bytes(
        (at / "checkpoints/00000002").read_bytes()
        + b"".join(
            (at / "cosigned/00000004").read_bytes().splitlines(keepends=True)[5:]
        )
    ),
}


@pytest.mark.parametrize("what", SPOILS)
def test_both_verifiers_find_what_was_changed_of_cosignatures(
    carried: Path, tmp_path: Path, what: str
) -> None:
    """Whoever begins the log anew can only leave them out; and that is seen too."""
    people = (carried / "cosigners").read_text().splitlines()[1::2]
    folder = Path(shutil.copytree(carried, tmp_path / "out"))
    SPOILS[what](folder)
    found = verdicts(folder, *people)
    assert all(found), found


def test_a_history_written_anew_with_the_sites_key_has_no_cosignature(
    world: World, tmp_path: Path
) -> None:
    """Host and key in a thief's hands: what a person cosigned cannot be made to fit."""
    event = world.cosign(key("bob"))
    (tmp_path / "forged").mkdir()
    forged = begun(tmp_path / "forged", "bob", "carol", "dora")
    forged.happen()
    forged.site.registry.log(event)
    (fault,) = log_check.check(forged.home).faults
    size = event.detail["size"]
    assert fault == (
        f"the cosignature of `bob` is not of the first {size} events that are here"
    )
    forged.site.registry.log(
        Event(time=NOW, actor="me", action="cosign", detail={"x": 1})
    )
    assert len(log_check.check(forged.home).faults) == 1


def test_a_cosigned_note_finds_a_log_that_was_put_back(
    world: World, tmp_path: Path
) -> None:
    """It lies in somebody's drawer, where who has the host cannot reach it."""
    old = Path(shutil.copytree(world.home, tmp_path / "old"))
    world.happen()
    world.cosign(key("bob"))
    (one,) = world.book.cosignatures()
    size = one.told.size
    note = next(each.note for each in world.book.checkpoints() if each.size == size)
    kept = tmp_path / "kept"
    kept.write_bytes(lines.joined(note, [one.line]))
    assert log_check.check(world.home, [kept]).faults == ()
    assert log_check.check(old, [kept]).faults == (
        f"the log has {size - 1} events, kept says {size}",
    )


def test_the_form_is_that_of_c2sp() -> None:
    """Its own example, taken apart and put together again, byte for byte."""
    note = (
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OW"
        "XEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA=="
    )
    found = lines.decode(note)
    assert (found.name, found.time) == ("witness.example.com/w1", 1679315147)
    assert (len(found.key_hash), len(found.signature)) == (4, 64)
    root = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=").hex()
    told = Checkpoint(site="plant7", size=20852163, root=Sha256(root))
    assert lines.message(told, 1679315147) == (
        b"cosignature/v1\ntime 1679315147\nairlift/plant7\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "— x",
        "— x AAAA",
        "- x " + "A" * 104,
        "— x " + "A" * 103,
        "— " + "A" * 104,
        "— x " + base64.b64encode(b"hash" + b"\xff" * 80).decode(),
        "— x " + base64.b64encode(bytes(13)).decode().replace("=", "") + "=",
    ],
)
def test_what_is_no_cosignature_is_refused(line: str) -> None:
    """What lies below a checkpoint is one of these or a reason to look."""
    with pytest.raises(FormatError, match=r"^x is no cosignature$"):
        lines.decode(line, name="x")
    note = b"airlift/plant7\n1\nAAAA\n\n\xe2\x80\x94 airlift/plant7 AAAA\n"
    with pytest.raises(FormatError, match=r"^x is no cosignature$"):
        lines.bare(note + line.encode() + b"\n", name="x")
