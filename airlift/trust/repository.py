"""The folder of the signing side: everything ever signed, whole at any instant.

    settings.json               lives of documents
    metadata/N.ROLE.json        every version of every document
    releases/ID.json            release documents
    attestations/DIGEST.json    what travels beside releases
    dispatch/SITE/N.json        dispatch records
    packing/SITE/N.json         packing lists
    policy/SITE/N.json          policies of sites
    deny/N.json                 deny lists
    pending/draft.json          what still lacks signatures

One rename makes a change real: that of ``N.timestamp.json``, which is written last
and names all else by version. Files beyond the newest timestamp are leftovers of a
run that was killed; the next one writes over them, and nothing of them ever left this
folder.
"""

import contextlib
import fcntl
import re
from collections.abc import Iterator
from pathlib import Path

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import FormatError, RequestError, StoreError
from airlift.format import dispatch, dsse, packing, release
from airlift.trust import denials, draft, files, metadata, policy, strict
from airlift.trust.draft import Draft
from airlift.trust.metadata import Document, Snapshot, Timestamp
from airlift.trust.metadata_set import MetadataSet
from airlift.trust.plan import Lives, decode_lives, encode_lives

_TIMESTAMP = re.compile(r"([1-9]\d{0,15})\.timestamp\.json", re.ASCII)
_SETTINGS_LIMIT = 4096
RESTORE = "restore the folder from its newest backup"


class Repository:
    """The files of one signing side.

    Args:
        folder: Its folder; made by ``lay_out``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lay_out(self, lives: Lives) -> None:
        """Make the folder and its settings.

        Raises:
            RequestError: There is something in it already.
            StoreError: The disk refuses.
        """
        if self._folder.is_dir() and any(self._folder.iterdir()):
            problem = f"`{naming.show(str(self._folder))}` is not empty"
            raise RequestError(problem, hint="choose a new folder for the records")
        files.make_folder(self._folder)
        files.write_new(self._settings, encode_lives(lives))

    def lives(self) -> Lives:
        """Return the lives of documents.

        Raises:
            RequestError: The folder is not such a repository.
            FormatError: Its settings are damaged.
        """
        what = "repository of signed records"
        data = files.read(self._settings, limit=_SETTINGS_LIMIT, what=what)
        return decode_lives(data, name="settings.json")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from changing anything meanwhile.

        Raises:
            RequestError: Another process is at it.
        """
        with files.reporting(self._settings), self._settings.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                problem = "another airlift is signing in this folder"
                raise RequestError(problem, hint="wait until it is done") from error
            yield

    def newest(self) -> int:
        """Return the version of the newest timestamp; 0 before the first."""
        folder = self._folder / "metadata"
        if not folder.is_dir():
            return 0
        with files.reporting(folder):
            found = [_TIMESTAMP.fullmatch(path.name) for path in folder.iterdir()]
        return max((int(one[1]) for one in found if one), default=0)

    def load(self, version: int) -> MetadataSet:
        """Return the set that timestamp *version* names.

        Raises:
            StoreError: A file of it is missing or not the one named.
            FormatError: A file of it is damaged.
        """
        timestamp, snapshot = self._front(version)
        listed = {role: one.version for role, one in snapshot.body.editions.items()}
        targets = strict.targets(
            self.metadata(metadata.TARGETS, listed[metadata.TARGETS]), name="targets"
        )
        roles = {site: metadata.site_role(site) for site in targets.body.sites}
        found = MetadataSet(
            root=strict.root(
                self.metadata(metadata.ROOT, listed[metadata.ROOT]), name="root"
            ),
            targets=targets,
            sites={
                site: strict.site_targets(self.metadata(role, listed[role]), name=role)
                for site, role in roles.items()
            },
            snapshot=snapshot,
            timestamp=timestamp,
        )
        named = timestamp.body.snapshot
        if (
            metadata.edition(snapshot.body) != named
            or found.editions() != snapshot.body.editions
        ):
            problem = f"the files of timestamp {version} are not the ones it names"
            raise StoreError(problem, hint=RESTORE)
        return found

    def sequence(self, site: str, version: int) -> int:
        """Return the newest delivery to *site* as of timestamp *version*; 0 if none.

        Raises:
            StoreError: A file is missing.
            FormatError: A file is damaged.
        """
        role = metadata.site_role(site)
        listed = self._front(version)[1].body.editions.get(role)
        if listed is None:
            return 0
        data = self.metadata(role, listed.version)
        return metadata.newest_sequence(strict.site_targets(data, name=role).body)

    def _front(self, version: int) -> tuple[Document[Timestamp], Document[Snapshot]]:
        timestamp = strict.timestamp(
            self.metadata(metadata.TIMESTAMP, version), name="timestamp"
        )
        named = timestamp.body.snapshot.version
        snapshot = strict.snapshot(
            self.metadata(metadata.SNAPSHOT, named), name="snapshot"
        )
        return timestamp, snapshot

    def commit(self, made: MetadataSet) -> None:
        """Write what is new in *made*, the timestamp last, and forget what is pending.

        Raises:
            StoreError: The disk refuses; what was signed before stays in force.
        """
        folder = self._folder / "metadata"
        files.make_folder(folder)
        for role, document in made.documents():  # the timestamp comes last
            path = folder / f"{document.body.version}.{role}.json"
            data = metadata.encode(document)
            if not _holds(path, data):
                files.write(path, data)
        self.discard()

    def metadata(self, role: str, version: int) -> bytes:
        """Return the bytes of a metadata file.

        Raises:
            StoreError: It is missing or cannot be read.
        """
        limit = strict.LIMITS.get(role, strict.SITE_LIMIT)
        return self._read(f"metadata/{version}.{role}.json", limit)

    def dispatch(self, site: str, sequence: int) -> bytes:
        """Return the bytes of a dispatch record; as ``metadata``."""
        return self._read(dispatch.target_name(site, sequence), dispatch.LIMIT)

    def packing(self, site: str, sequence: int) -> bytes:
        """Return the bytes of a packing list; as ``metadata``."""
        return self._read(packing_path(site, sequence), packing.LIMIT)

    def release(self, release_id: Sha256) -> bytes:
        """Return the bytes of a release document; as ``metadata``."""
        return self._read(metadata.release_target(release_id), release.LIMIT)

    def attestation(self, digest: Sha256) -> bytes:
        """Return the bytes of an attestation; as ``metadata``."""
        return self._read(attestation_path(digest), dsse.LIMIT)

    def policy(self, site: str, version: int) -> bytes:
        """Return the bytes of a site's policy; as ``metadata``."""
        return self._read(metadata.policy_target(site, version), policy.LIMIT)

    def denials(self, version: int) -> bytes:
        """Return the bytes of a deny list; as ``metadata``."""
        return self._read(metadata.deny_target(version), denials.LIMIT)

    def keep(self, name: str, data: bytes) -> None:
        """Write a record durably; it counts once a commit names it.

        Raises:
            StoreError: The disk refuses.
        """
        path = self._folder / name
        files.make_folder(path.parent)
        files.write(path, data)

    def pending(self) -> Draft | None:
        """Return what still lacks signatures, or None.

        Raises:
            FormatError: Its file is damaged.
        """
        if not self._pending.is_file():
            return None
        data = files.read(self._pending, limit=draft.LIMIT, what="pending file")
        return draft.decode(data)

    def keep_pending(self, pending: Draft) -> None:
        """Write what still lacks signatures.

        Raises:
            StoreError: The disk refuses.
        """
        self.keep("pending/draft.json", draft.encode(pending))

    def discard(self) -> None:
        """Forget what is pending.

        Raises:
            StoreError: The disk refuses.
        """
        with files.reporting(self._pending):
            self._pending.unlink(missing_ok=True)

    @property
    def _settings(self) -> Path:
        return self._folder / "settings.json"

    @property
    def _pending(self) -> Path:
        return self._folder / "pending" / "draft.json"

    def _read(self, name: str, limit: int) -> bytes:
        try:
            return files.read(self._folder / name, limit=limit, what="record")
        except (RequestError, FormatError) as error:
            problem = f"the repository of signed records lacks `{name}`"
            raise StoreError(problem, hint=RESTORE) from error


def _holds(path: Path, data: bytes) -> bool:
    try:
        return files.read(path, limit=len(data), what="record") == data
    except (RequestError, FormatError):
        return False


def packing_path(site: str, sequence: int) -> str:
    """Return where a packing list lies in the folder."""
    return f"packing/{site}/{sequence}.json"


def attestation_path(digest: Sha256) -> str:
    """Return where an attestation lies in the folder."""
    return f"attestations/{digest}.json"
