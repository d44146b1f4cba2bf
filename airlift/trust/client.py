"""The judgement of ``tuf``'s own client, on bytes in memory, at a stated time.

airlift checks signatures, form and agreement itself (airlift.trust.verifier); that is
in addition to this, the reference implementation of the TUF client workflow, which
also refuses whatever is older than what the site trusts. It runs in a scratch folder
that goes away with the call, and its fetcher reads from a mapping: it cannot reach a
network.

Source: TUF specification 1.0.31, section 5.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuf.api.exceptions import BadVersionNumberError, DownloadError, RepositoryError
from tuf.api.exceptions import DownloadHTTPError as NotFoundError
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from airlift import transient
from airlift.digest import Sha256
from airlift.errors import StoreError, TrustError
from airlift.format.dispatch import target_name
from airlift.trust import metadata, strict
from airlift.trust.records import Offer

_BASE = "memory:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standpoint:
    """Where a site stands when it judges.

    Attributes:
        site: Its name.
        anchor: The root it starts from.
        trusted: Metadata it trusts, as in ``TrustState.metadata``; empty to judge
            without a past.
        at: The time expiry is judged at.
    """

    site: str
    anchor: bytes
    trusted: Mapping[str, bytes]
    at: datetime


def judge(offer: Offer, standpoint: Standpoint) -> None:
    """Return if ``tuf`` believes every record of *offer*, to the byte.

    Raises:
        TrustError: It does not, or trusts other bytes of the same version.
        StoreError: The folder for temporary files cannot be written.
    """
    try:
        with transient.folder("airlift-trust-") as folder:
            _judge(offer, standpoint, folder)
    except OSError as error:
        problem = f"cannot use the folder for temporary files: {error.strerror}"
        raise StoreError(problem, hint="make room in it, or set TMPDIR") from error


def _judge(offer: Offer, standpoint: Standpoint, folder: Path) -> None:
    role = metadata.site_role(standpoint.site)
    believed = {
        f"{metadata.TIMESTAMP}.json": offer.timestamp,
        f"{metadata.SNAPSHOT}.json": offer.snapshot.data,
        f"{metadata.TARGETS}.json": offer.targets.data,
        f"{role}.json": offer.site_role.data,
    }
    for name in believed:
        if name in standpoint.trusted:
            (folder / name).write_bytes(standpoint.trusted[name])
    try:
        _run(offer, standpoint, folder)
    except BadVersionNumberError as error:
        problem = (
            "the signed records are older than those this site trusts"
            f" ({offer.dispatch.name}: {error})"
        )
        hint = "this is an old delivery, or its sender's records were turned back"
        raise TrustError(problem, hint=hint) from error
    except (RepositoryError, DownloadError) as error:
        problem = f"the signed records do not hold together: {error}"
        hint = "copy them again; if it stays so, stop and ask whoever sent them"
        raise TrustError(problem, hint=hint) from error
    for name, data in believed.items():
        # The client keeps its own copy when versions are equal, and says nothing.
        if (folder / name).read_bytes() != data:
            problem = (
                f"`{name}` differs from the one of the same version that this site"
                " trusts: a forked history"
            )
            hint = "stop, and ask whoever signs what was signed twice"
            raise TrustError(problem, hint=hint)


def _run(offer: Offer, standpoint: Standpoint, folder: Path) -> None:
    updater = Updater(
        metadata_dir=str(folder),
        metadata_base_url=_BASE,
        fetcher=_Memory(offer),
        config=settings(len(offer.roots) + 1),
        bootstrap=standpoint.anchor,
    )
    set_time(updater, standpoint.at)
    updater.refresh()
    sent = target_name(standpoint.site, offer.dispatch.number)
    _vouched(updater, sent, offer.dispatch.data)
    for release_id, document in offer.releases.items():
        name = metadata.release_target(Sha256(release_id))
        _vouched(updater, name, document)
    for one in (offer.policy, offer.denials):
        if one:
            _vouched(updater, one.name.removeprefix("records/"), one.data)


def settings(roots: int, *, hashed_names: bool = False) -> UpdaterConfig:
    """Return what the client is told: airlift's limits.

    Args:
        roots: Most new roots that are followed.
        hashed_names: Whether files of targets have their digest in front of their
            names; deliveries' have not.
    """
    return UpdaterConfig(
        max_root_rotations=roots,
        root_max_length=strict.LIMITS[metadata.ROOT],
        timestamp_max_length=strict.LIMITS[metadata.TIMESTAMP],
        snapshot_max_length=strict.LIMITS[metadata.SNAPSHOT],
        targets_max_length=strict.LIMITS[metadata.TARGETS],
        prefix_targets_with_hash=hashed_names,
    )


def _vouched(updater: Updater, name: str, data: bytes) -> None:
    target = updater.get_targetinfo(name)
    if target is None:
        problem = f"nobody with authority vouches for {name}"
        raise RepositoryError(problem)
    target.verify_length_and_hashes(data)


def set_time(updater: Updater, at: datetime) -> None:
    """Make *updater* judge expiry at *at* instead of by this host's clock.

    ``tuf`` has no parameter for it; the attribute is private, so its place is checked
    here and in a test, and a version that moved it stops every import with this error.

    Raises:
        TrustError: This version of ``tuf`` keeps its time elsewhere.
    """
    trusted = updater._trusted_set  # noqa: SLF001 - the only way; see above
    if not isinstance(getattr(trusted, "reference_time", None), datetime):
        problem = "the installed version of tuf does not let its time be set"
        raise TrustError(problem, hint="install the version airlift was released with")
    trusted.reference_time = at


class _Memory(FetcherInterface):
    """Gives the client the metadata of an offer by the names it asks for."""

    def __init__(self, offer: Offer) -> None:
        numbered = (*offer.roots, offer.snapshot, offer.targets, offer.site_role)
        self._files = {
            f"{_BASE}{one.name.removeprefix('metadata/')}": one.data for one in numbered
        }
        self._files[f"{_BASE}{metadata.TIMESTAMP}.json"] = offer.timestamp

    def _fetch(self, url: str) -> Iterator[bytes]:
        if url not in self._files:
            problem = f"the delivery lacks {url.removeprefix(_BASE)}"
            raise NotFoundError(problem, 404)
        return iter((self._files[url],))
