"""A written delivery goes to a one-way link file by file, and arrives."""

import hashlib
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from airlift import hook
from airlift.errors import RequestError, StoreError
from airlift.hook import Hook
from airlift.outbound import drop_state, dropping
from airlift.outbound.allotment import Sparing
from airlift.outbound.dropping import Dropped, Dropping, Link
from airlift.progress import Silent
from crossing import NOW, Crossing, Isolated, noise
from watched import CUT, Drop

FILES = {f"{n}.bin": noise(2_000_000, n) for n in range(3)}
FRONT = "airlift-plant7-000001"
NAMES = [
    *(f"{FRONT}.000{n}-of-0003.tar" for n in (1, 2, 3)),
    f"{FRONT}.s0001-of-0001.spare",
    *(f"{FRONT}.sha256sums{ending}" for ending in ("", ".minisig", ".sig")),
]


class PowerCutError(Exception):
    """The process ends here."""


@dataclass
class Sender:
    """The connected host of a one-way link.

    Attributes:
        made: What an export wrote.
        link: The way.
        state: File of how far it is.
        slept: Seconds it waited, each time.
        notes: What it told.
    """

    made: Path
    folder: Path
    state: Path
    slept: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    clock: float = 0.0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.link = Link(
            folder=self.folder,
            sleep=self.sleep,
            clock=lambda: self.clock,
            now=lambda: NOW,
            note=self.notes.append,
        )

    def sleep(self, seconds: float) -> None:
        """Turn the clock."""
        self.slept.append(seconds)
        self.clock += seconds

    def send(self, repeat: int = 1) -> Dropped:
        """Send what was made."""
        ((key, paths),) = dropping.deliveries(self.made).items()
        files = dropping.parcels(paths)
        sending = Dropping(key, self.state, self.link)
        return sending.send(files, repeat=repeat, progress=Silent())

    def there(self) -> list[str]:
        """Return the names in the folder."""
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture(scope="module", name="crossing")
def _crossing(tmp_path_factory: pytest.TempPathFactory) -> Crossing:
    crossing = Crossing(tmp_path_factory.mktemp("send"))
    connected = crossing.connected
    pinned = connected.folder("acme/m", FILES)
    sparing = Sparing(spares=1)
    connected.export(crossing.medium, pinned, capacity=CUT, sparing=sparing)
    crossing.isolated.registry.close()
    return crossing


@pytest.fixture(name="sender")
def _sender(crossing: Crossing, tmp_path: Path) -> Sender:
    return Sender(crossing.medium, tmp_path / "drop it", tmp_path / "state.json")


def command(program: str, *words: str) -> Hook:
    """Return a hook that runs a program of Python."""
    return Hook(
        words=(sys.executable, "-c", program, *words),
        timeout_s=60.0,
        clock=lambda: 0.0,
    )


def test_files_appear_in_the_order_in_which_they_speak_for_each_other(
    sender: Sender, tmp_path: Path
) -> None:
    """A product that waits for the signature finds everything there by then."""
    log = tmp_path / "log"
    program = (
        "import os, sys; name = os.path.basename(sys.argv[2]);"
        "open(sys.argv[1], 'a').write(name + '\\n');"
        "print('handed on', sys.argv[3])"
    )
    hooked = command(program, str(log), "{file}", "{name}")
    sender.link = replace(sender.link, hook=hooked)
    done = sender.send()
    assert log.read_text().splitlines() == NAMES
    assert (list(done.names), sender.there()) == (NAMES, sorted(NAMES))
    sizes = [path.stat().st_size for path in sender.folder.iterdir()]
    assert (done.bytes, done.skipped) == (sum(sizes), 0)
    for path in sender.made.iterdir():
        if path.name.lower() in NAMES:
            assert (sender.folder / path.name.lower()).read_bytes() == path.read_bytes()


def test_what_was_sent_is_imported_by_a_watch_without_a_word(
    sender: Sender, crossing: Crossing, tmp_path: Path
) -> None:
    """Both ends of the link, with nothing between them but files."""
    sender.send(repeat=2)
    (sender.folder / NAMES[1]).unlink()
    far = Crossing.__new__(Crossing)
    root = crossing.connected.publisher.root_bytes()
    far.isolated = Isolated(tmp_path / "isolated", root)
    drop = Drop(far, sender.folder)
    assert drop.settle()[-1] == "delivery 1 to plant7: complete; live set 1"
    assert drop.carried() == FILES


def test_files_that_are_sent_again_have_fresh_names(sender: Sender) -> None:
    """Receivers refuse a name that they have seen; volumes say what they are."""
    assert len(sender.send(repeat=2).names) == 2 * len(NAMES)
    again = sender.send()
    assert again.names[0] == f"{FRONT}.0001-of-0003.r3.tar"
    assert len(sender.there()) == 3 * len(NAMES)
    assert f"{FRONT}.r2.sha256sums.minisig" in sender.there()


@pytest.mark.parametrize("after", [1, 3, 6])
def test_a_restart_goes_on_at_the_next_file(sender: Sender, after: int) -> None:
    """What a slow link took for hours is not sent from the first byte on."""

    def cut(seconds: float) -> None:
        sender.sleep(seconds)
        if len(sender.slept) == after:
            raise PowerCutError

    sound = sender.link
    sender.link = replace(sound, mbps=1000.0, sleep=cut)
    with pytest.raises(PowerCutError):
        sender.send()
    assert len(sender.there()) == after
    for path in sender.folder.iterdir():
        path.unlink()  # the link took them
    sender.link = sound
    done = sender.send()
    assert (list(done.names), done.skipped) == (NAMES[after:], after)
    assert sender.there() == sorted(NAMES[after:])


def test_files_are_handed_on_no_faster_than_the_link_takes_them(
    sender: Sender,
) -> None:
    """Links without a buffer lose what comes too fast, and cannot say so."""
    sender.link = replace(sender.link, mbps=8.0)
    done = sender.send()
    assert sum(sender.slept) == pytest.approx(done.bytes / 1e6)
    assert len(sender.slept) == len(NAMES)


def test_a_hook_that_fails_is_tried_again_and_then_named(sender: Sender) -> None:
    """A file that was not handed on must not count as sent."""
    program = "import sys; print('no link'); sys.exit(7 * sys.argv[1].endswith('2-of-0003.tar'))"
    sender.link = replace(sender.link, hook=command(program, "{name}"))
    with pytest.raises(RequestError) as caught:
        sender.send()
    assert caught.value.problem == (
        f"{NAMES[1]}: the hook failed: exit code 7 after 0.0 s: no link"
    )
    assert sender.notes == [caught.value.problem] * 3
    assert sender.slept == [0.0, 0.0, 5.0, 10.0]
    sender.link = replace(sender.link, hook=command("pass", "{name}"))
    assert list(sender.send().names) == NAMES[1:]


def test_a_name_is_one_argument_whatever_is_in_it(
    sender: Sender, tmp_path: Path
) -> None:
    """A folder called `drop it; rm -rf x` must not run anything."""
    folder = tmp_path / "a 'b\" $(touch hacked) ; {name}"
    folder.mkdir()
    log = tmp_path / "log"
    words = hook.parse(
        f"{sys.executable} -c 'import sys; open(sys.argv[1], \"a\").write(repr(sys.argv[2:]))'"
        f" {log} --file={{file}}",
        "file",
    )
    hooked = Hook(words=words, timeout_s=60.0, clock=lambda: 0.0)
    sender.link = replace(sender.link, folder=folder, hook=hooked)
    sender.send()
    assert log.read_text().startswith(repr([f"--file={folder / NAMES[0]}"]))
    assert not (Path.cwd() / "hacked").exists()


def test_what_the_hook_took_is_deleted_when_that_is_asked_for(sender: Sender) -> None:
    """An upload leaves nothing to be taken; a marker does."""
    sender.link = replace(sender.link, hook=command("pass", "{file}"), takes=True)
    assert list(sender.send().names) == NAMES
    assert sender.there() == []


def test_a_hook_that_hangs_is_ended(sender: Sender) -> None:
    """One hung upload must not hold a delivery for ever."""
    hooked = replace(command("import time; time.sleep(600)", "{file}"), timeout_s=0.5)
    sender.link = replace(sender.link, hook=hooked)
    with pytest.raises(RequestError, match="the hook failed: timed out after"):
        sender.send()


def test_a_damaged_volume_is_not_sent(sender: Sender, tmp_path: Path) -> None:
    """What was written was good; what lies there now is not."""
    made = tmp_path / "made"
    made.mkdir()
    for path in sender.made.iterdir():
        (made / path.name).write_bytes(path.read_bytes())
    sender.made = made
    victim = sorted(made.glob("*.tar"))[1]
    data = bytearray(victim.read_bytes())
    data[1_000_000] ^= 1
    victim.write_bytes(data)
    with pytest.raises(StoreError) as caught:
        sender.send()
    assert caught.value.problem == f"{victim} is not what was written there"
    assert sender.there() == NAMES[:1]


def test_another_folder_of_a_delivery_waits_for_the_first_to_end(
    sender: Sender, tmp_path: Path
) -> None:
    """Two half-sent sets of one delivery would be told apart by nobody."""
    program = "import sys; sys.exit(1)"
    sender.link = replace(sender.link, hook=command(program, "{name}"))
    with pytest.raises(RequestError):
        sender.send()
    sender.link = replace(sender.link, hook=None)
    whole, part = sender.made, tmp_path / "part"
    part.mkdir()
    for path in whole.iterdir():
        if "0002-of" in path.name or "SUMS" in path.name:
            (part / path.name).write_bytes(path.read_bytes())
    sender.made = part
    with pytest.raises(RequestError) as caught:
        sender.send()
    assert caught.value.problem == (
        "delivery 1 to plant7 is being sent already: 7 file(s) of another folder are left"
    )
    sender.made = whole
    assert list(sender.send().names) == NAMES
    sender.made = part
    assert sender.send().names[0] == f"{FRONT}.0002-of-0003.r2.tar"


def test_a_folder_without_volumes_or_sums_is_refused(
    sender: Sender, tmp_path: Path
) -> None:
    """The wrong folder is the commonest mistake; nothing sent is no success."""
    with pytest.raises(RequestError) as caught:
        dropping.deliveries(tmp_path)
    assert caught.value.problem == f"no volume is in {tmp_path}"
    volume = next(sender.made.glob("*.tar"))
    (tmp_path / volume.name).write_bytes(volume.read_bytes())
    with pytest.raises(RequestError) as caught:
        dropping.parcels([tmp_path / volume.name])
    assert caught.value.problem == f"{volume.name} is not in any SHA256SUMS beside it"


def test_the_hook_finds_every_file_whole(sender: Sender) -> None:
    """The link's software may take a file the moment that it has its name."""
    program = (
        "import hashlib, sys; "
        "print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())"
    )
    sender.link = replace(sender.link, hook=command(program, "{file}"))
    sender.send()
    state = drop_state.read(sender.state)
    digests = {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in sender.made.iterdir()
    }
    assert [one.name for one in state.log] == NAMES
    assert {one.said for one in state.log} <= digests
    assert (state.files, state.sent, state.turns) == ((), (), 1)
    assert sender.there() == sorted(NAMES)
