"""What airlift relies on in tuf's own client."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from airlift.errors import TrustError
from airlift.trust import clock, records
from airlift.trust.client import Standpoint, judge, set_time
from airlift.trust.records import Offer
from authority import NOW, SITE, Authority, key, land, resign


class Nothing(FetcherInterface):
    """A fetcher that has nothing."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError


def test_the_time_of_the_client_can_be_set(side: Authority, tmp_path: Path) -> None:
    """Tuf keeps it in a private place; a version that moves it must fail here."""
    updater = Updater(
        metadata_dir=str(tmp_path),
        metadata_base_url="memory:///",
        fetcher=Nothing(),
        config=UpdaterConfig(),
        bootstrap=side.publisher.root_bytes(),
    )
    at = datetime(2031, 1, 1, tzinfo=UTC)
    set_time(updater, at)
    assert updater._trusted_set.reference_time == at


def standpoint(side: Authority, at: str) -> Standpoint:
    """Return where a fresh site stands at *at*."""
    return Standpoint(
        site=SITE,
        anchor=side.publisher.root_bytes(),
        trusted={},
        at=clock.moment(at, what="x"),
    )


def offer(files: dict[str, bytes]) -> Offer:
    """Return *files* sorted."""
    return records.sort(files, site=SITE)


def test_the_client_judges_at_the_time_that_is_set(side: Authority) -> None:
    """Not at the time of this machine, which runs years later or earlier."""
    offered = offer(side.deliver())
    judge(offered, standpoint(side, NOW))
    with pytest.raises(TrustError) as caught:
        judge(offered, standpoint(side, clock.after(NOW, days=45)))
    assert str(caught.value) == (
        "the signed records do not hold together: timestamp.json is expired"
    )


def test_the_client_refuses_by_itself_what_airlift_refuses_too(side: Authority) -> None:
    """Two judges: neither may be there in name only."""
    files = side.deliver()
    thief = resign(files, {"targets": lambda _signed: None}, [key("mallory")])
    with pytest.raises(TrustError) as caught:
        judge(offer(thief), standpoint(side, NOW))
    assert str(caught.value) == (
        "the signed records do not hold together: timestamp was signed by 0/1 keys"
    )
    other = Authority(Path(str(side.folder) + "2"))
    swapped = offer(files)
    swapped = replace(
        swapped,
        dispatch=replace(
            swapped.dispatch, data=other.deliver()["records/dispatch/plant7/1.json"]
        ),
    )
    changed = replace(swapped.dispatch, data=swapped.dispatch.data + b" ")
    with pytest.raises(TrustError, match="Observed length"):
        judge(replace(swapped, dispatch=changed), standpoint(side, NOW))


def test_the_client_follows_a_site_through_deliveries(side: Authority) -> None:
    """Its rollback checks see the trusted metadata, not an empty folder."""
    first = side.deliver()
    state = land(first, side.state()).state
    state = land(side.deliver(), state).state
    past = Standpoint(
        site=SITE,
        anchor=state.anchor,
        trusted=state.metadata,
        at=clock.moment(NOW, what="x"),
    )
    with pytest.raises(TrustError, match="New timestamp version 3 must be >= 4"):
        judge(offer(first), past)


PROBE = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from authority import Authority, land
reached = []
sys.addaudithook(
    lambda event, args: reached.append(event) if event.startswith("socket.") else None
)
side = Authority(Path({folder!r}))
land(side.deliver(), side.state())
print(reached)
"""


def test_no_socket_is_opened(tmp_path: Path) -> None:
    """The client comes with an HTTP library; nothing may reach it."""
    path = [str(Path(__file__).parents[2])]
    probe = PROBE.format(path=path, folder=str(tmp_path / "side"))
    run = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "[]\n", "")


def test_a_client_that_keeps_its_time_elsewhere_stops_every_import(
    side: Authority, tmp_path: Path
) -> None:
    """Judging by the wrong clock in silence would be worse than not importing."""
    updater = Updater(
        metadata_dir=str(tmp_path),
        metadata_base_url="memory:///",
        fetcher=Nothing(),
        bootstrap=side.publisher.root_bytes(),
    )
    del updater._trusted_set.reference_time
    with pytest.raises(TrustError) as caught:
        set_time(updater, datetime(2031, 1, 1, tzinfo=UTC))
    assert str(caught.value) == (
        "the installed version of tuf does not let its time be set"
    )


def test_the_client_vouches_for_no_release_that_is_not_approved(
    side: Authority,
) -> None:
    """A record among those offered is not yet a record that is signed for."""
    offered = offer(side.deliver())
    stray = replace(offered, releases={"0" * 64: b"{}"})
    with pytest.raises(TrustError) as caught:
        judge(stray, standpoint(side, NOW))
    assert str(caught.value) == (
        "the signed records do not hold together: nobody with authority vouches for"
        f" releases/{'0' * 64}.json"
    )


FULL = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = {path!r}
from airlift.errors import StoreError
from authority import Authority, land
side = Authority(Path({folder!r}))
offered, state = side.deliver(), side.state()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    land(offered, state)
except StoreError as error:
    sys.stderr.write(str(error))
"""


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    """It says nothing about the delivery, and must not seem to."""
    path = [str(Path(__file__).parents[2])]
    program = FULL.format(path=path, folder=str(tmp_path / "side"))
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (
        0,
        "cannot use the folder for temporary files: File too large",
    )
