"""A whole import, broken at one system call after the other.

A child process stops itself, strace takes hold of it, and lets one call of its import
fail with EIO or ENOSPC, or kills it there. Whatever happens, the site must open, name
only blobs it has, and take the same delivery once the fault is gone.
"""

import os
import shutil
import signal
import subprocess
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airlift.errors import AirliftError, RegistryError, StoreError
from airlift.inbound import log_check
from airlift.inbound.own_key import Maker
from airlift.registry.held import State
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from airlift.trust.delivery import VerifiedDelivery
from sites import Site, document

LATER = "2026-04-01T00:00:00Z"
STRACE = shutil.which("strace")
EVERY = int(os.environ.get("AIRLIFT_FAULTS_EVERY", "31"))
"""Break at every so many calls; 1 is the whole proof, and takes ten minutes."""

CALLS = (
    "openat,pread64,pwrite64,write,read,lseek,fsync,fdatasync,rename,renameat2,unlink,"
    "unlinkat,rmdir,mkdir,mkdirat,chmod,fchmod,fchmodat,ftruncate,fallocate,flock,"
    "fcntl,getdents64,newfstatat,lstat,stat,fstat,statfs,close"
)
FAULTS = ("error=EIO", "error=ENOSPC", "signal=SIGKILL")
BIG = bytes(70_000)
CRASHED = 99

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(STRACE is None, reason="strace is not installed"),
]


@dataclass(frozen=True)
class Trial:
    """A site before an import, and the delivery it is to import."""

    folder: Path
    delivery: VerifiedDelivery

    def copy(self, name: str) -> Path:
        """Return a fresh copy of the site."""
        target = self.folder.with_name(name)
        shutil.copytree(self.folder, target)
        return target


@pytest.fixture(name="trial", scope="module")
def _trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("trial") / "site"
    site = Site(folder)
    site.model("org/first", b"first")
    Maker(home=site.home, registry=site.registry, now=LATER, actor="me").make()
    site.hold(b"small", b"other")
    delivery = site.verified(
        document("org/m", {"big": BIG, "other": b"other", "small": b"small"}),
    )
    site.store.remove(
        [one for one, _ in site.store.all() if site.blobs.get(one) != b"first"]
    )
    site.registry.close()
    return Trial(folder, delivery)


def take_in(folder: Path, delivery: VerifiedDelivery) -> None:
    """Do what an import does from its first blob on."""
    store = BlobStore(folder / "store")
    registry = Registry.open(folder / "home")
    with registry.exclusive("import"):
        files = {f.path: f for one in delivery.releases for f in one.release.files}
        big = files["big"]
        if not store.has(big.sha256):
            with store.partial(big.sha256, big.size) as partial:
                partial.write(BIG, 0)
                store.adopt(partial, big.sha256)
        contents = {"small": b"small", "other": b"other"}
        store.add_small((files[path].sha256, data) for path, data in contents.items())
        registry.record(
            delivery,
            store,
            live=[one.id for one in delivery.releases],
            now=LATER,
            actor="me",
        )
    registry.close()


def broken(folder: Path, delivery: VerifiedDelivery, inject: str) -> int:
    """Import in a child whose calls strace breaks; return how it ended."""
    child = os.fork()
    if child == 0:
        code = CRASHED
        try:
            os.kill(os.getpid(), signal.SIGSTOP)
            take_in(folder, delivery)
            code = 0
        except AirliftError as error:
            code = error.exit_code
        except BaseException:  # noqa: BLE001 - whatever it is, the parent must see it
            traceback.print_exc()
        finally:
            os._exit(code)
    os.waitpid(child, os.WUNTRACED)
    assert STRACE
    command = [STRACE, "-qq", "-o", f"{folder}.trace", "-e", f"trace={CALLS}"]
    command += ["-e", f"inject={inject}"] if inject else []
    tracer = subprocess.Popen([*command, "-p", str(child)])
    while "TracerPid:\t0\n" in Path(f"/proc/{child}/status").read_text():
        assert tracer.poll() is None
    os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    tracer.wait()
    return os.waitstatus_to_exitcode(status)


def points(trial: Trial) -> list[str]:
    """Return every call of an undisturbed import, as `NAME:when=N` of that name."""
    folder = trial.copy("undisturbed")
    assert broken(folder, trial.delivery, "") == 0
    seen: Counter[str] = Counter()
    found = []
    for line in Path(f"{folder}.trace").read_text().splitlines():
        name, call, _ = line.partition("(")
        if call and name.isidentifier():
            seen[name] += 1
            found.append(f"{name}:when={seen[name]}")
    shutil.rmtree(folder)
    return found


def judge(folder: Path, delivery: VerifiedDelivery, ended: int) -> Iterator[str]:
    """Yield every promise that the site in *folder* breaks."""
    expected = {0, StoreError.exit_code, RegistryError.exit_code, -signal.SIGKILL}
    if ended not in expected:
        yield f"ended with {ended}"
    recorded, faults = looked_at(folder)
    yield from faults
    if ended == 0 and not recorded:
        yield "said it was done, and was not"
    take_in(folder, delivery)
    recorded, faults = looked_at(folder)
    yield from faults
    if not recorded:
        yield "not recorded after the retry"
    if [*(folder / "store" / "partial").iterdir(), *folder.rglob(".*new*")]:
        yield "leftovers stay for ever"


def looked_at(folder: Path) -> tuple[bool, list[str]]:
    """Return whether the delivery is recorded, and what is wrong with the site."""
    store = BlobStore(folder / "store")
    registry = Registry.open(folder / "home")
    newest = registry.deliveries()[0].sequence
    live = {one.release.name for one in registry.releases(state=State.LIVE)}
    faults = [
        f"{one.release.name} names blobs that are not there"
        for one in registry.releases()
        if store.missing(each.sha256 for each in registry.files(one.id))
    ]
    if live != ({"org/first", "org/m"} if newest == 2 else {"org/first"}):
        faults.append(f"delivery {newest} with {sorted(live)} live")
    for name, _ in store.all():
        store.check(name)
    registry.close()
    faults += log_check.check(folder / "home").faults
    return newest == 2, faults


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_of_the_disk_leaves_a_half_import(trial: Trial, fault: str) -> None:
    """The one promise an operator relies on when the power or the disk fails."""
    calls, violations = points(trial), list[str]()
    ends: Counter[int] = Counter()
    for call in calls[FAULTS.index(fault) :: EVERY]:
        folder = trial.copy(f"{fault[-3:]}-{call.replace(':', '-')}")
        name, _, when = call.partition(":")
        ended = broken(folder, trial.delivery, f"{name}:{fault}:{when}")
        ends[ended] += 1
        try:
            found = list(judge(folder, trial.delivery, ended))
        except AirliftError as error:
            found = [f"then: {error}"]
        violations += [f"{call}: {one}" for one in found]
        shutil.rmtree(folder)
        Path(f"{folder}.trace").unlink()
    print(f"{fault}: {ends.total()} of {len(calls)} calls broken, ended {dict(ends)}")
    assert violations == []
    assert ends.total() - ends[0] > 0
