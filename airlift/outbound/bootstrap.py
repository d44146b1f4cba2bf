"""The first-install kit: what an isolated host needs before it can run ``airlift``.

A folder of ordinary files that needs only Python, pip and ``sha256sum``: airlift's
wheel and every wheel below it for one Python and platform, their digests, the root
metadata, its fingerprint and a page of instructions. Nothing in it is believed
because it lies in it: the digest of ``SHA256SUMS`` and the root's fingerprint reach
the other side by another way than the kit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from airlift import naming
from airlift.artifact import Kind, ReleaseFile, Wish
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, RequestError, SourceError
from airlift.fetch import own_wheel
from airlift.outbound import fetching
from airlift.payload import wheel, zip_directory
from airlift.progress import Progress
from airlift.sources.source import Source
from airlift.store.blobs import BlobStore
from airlift.store.durable import Disk, read_file
from airlift.trust import fingerprint

WHEEL_LIMIT: Final = 1 << 30
"""Most bytes of one wheel of a kit; the largest of airlift's own has 20 MiB."""

_INSTALL: Final = Template("""\
Installing airlift $version on an isolated host
===============================================

You need: Python $python ($platform), pip, sha256sum. No network is used.

1. Check that this folder arrived whole and unchanged. In this folder:

       sha256sum -c SHA256SUMS
       sha256sum SHA256SUMS

   The first command must say OK for every file. Compare what the second one prints
   with what the person who made this kit tells you, by telephone or in person, not
   by anything that travelled with it.

   airlift itself is $wheel,
   SHA-256   $digest
   Whoever has this airlift can make the same file, and read out the same digest.

2. Install, choosing any folder in place of /opt/airlift:

       python$python -m venv /opt/airlift
       /opt/airlift/bin/python -m pip install --no-index --find-links wheels \\
           --require-hashes -r requirements.txt
       /opt/airlift/bin/airlift --version

3. Accept the root of trust. Compare its fingerprint, below, with the one that the
   people who sign deliveries tell you, again not with anything that travelled:

       /opt/airlift/bin/airlift trust init --site $site --root root.json

   SHA-256   $groups
   in words  $words

4. Take in the first delivery from its medium:

       /opt/airlift/bin/airlift import /media/stick
       /opt/airlift/bin/airlift serve
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What kit to write.

    Attributes:
        folder: Where; it must not exist yet.
        site: Name of the isolated site it is for.
        python: ``3.11``: minor version of the isolated host's Python.
        platform: A name of uv's ``--python-platform``.
        root: Root metadata, exact bytes.
        airlift_wheel: airlift's wheel; None to pack the running installation.
    """

    folder: Path
    site: str
    python: str
    platform: str
    root: bytes
    airlift_wheel: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """A kit that was written.

    Attributes:
        folder: Where it lies.
        sums_sha256: Of its ``SHA256SUMS``: to be told to the other side.
        airlift: File name and SHA-256 of airlift's own wheel among them.
        wheels: File names.
        size: Bytes in all.
    """

    folder: Path
    sums_sha256: Sha256
    airlift: tuple[str, Sha256]
    wheels: tuple[str, ...]
    size: int


def build_kit(
    order: Order, source: Source, store: BlobStore, *, progress: Progress
) -> Kit:
    """Write a first-install kit; nothing lies under its name until it is whole.

    Args:
        order: What to write where.
        source: The source of wheels.
        store: Where fetched wheels lie, so that the next kit need not fetch them.
        progress: Gets one task for the fetching.

    Raises:
        RequestError: The folder is taken, or the wheel given is not airlift's.
        SourceError: A wheel cannot be had, or can be read in two ways.
        StoreError: The folder cannot be written.
    """
    _refuse_taken(order.folder)
    name, data = _own(order)
    own = _checked(name, data)
    if own.name != "airlift":
        problem = f"`{naming.show(name)}` is not airlift's wheel"
        raise RequestError(problem, hint="leave --airlift-wheel out")
    pinned = source.resolve(_dependencies(order, own))
    fetched = fetching.fetch(pinned, source, store, progress=progress)
    wheels = {name: _Packed(data=data, said=own), **_fetched(fetched, store)}
    return _write(order, name, wheels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """A wheel of the kit and what it says of itself."""

    data: bytes
    said: wheel.Wheel


def _own(order: Order) -> tuple[str, bytes]:
    if order.airlift_wheel is None:
        return own_wheel.pack()
    data = read_file(order.airlift_wheel, limit=WHEEL_LIMIT, error=RequestError)
    return order.airlift_wheel.name, data


def _checked(name: str, data: bytes) -> wheel.Wheel:
    try:
        return wheel.check(zip_directory.over(data), len(data), filename=name)
    except FormatError as error:
        raise SourceError(error.problem, hint=error.hint) from error


def _dependencies(order: Order, own: wheel.Wheel) -> Wish:
    return Wish(
        kind=Kind.WHEELS,
        name="airlift-kit",
        options={
            "requirements": own_wheel.needed(own.metadata),
            "python": (order.python,),
            "platform": (order.platform,),
        },
    )


def _fetched(files: Sequence[ReleaseFile], store: BlobStore) -> dict[str, _Packed]:
    found = {}
    for file in files:
        if not file.path.endswith(".whl"):
            continue
        if file.size > WHEEL_LIMIT:
            problem = f"`{naming.show(file.path)}` has {file.size} bytes"
            raise SourceError(problem, hint=f"a kit's wheels have up to {WHEEL_LIMIT}")
        data = b"".join(store.read(file.sha256))
        found[file.path] = _Packed(data=data, said=_checked(file.path, data))
    return found


def _refuse_taken(folder: Path) -> None:
    if folder.exists():
        problem = f"{naming.show(str(folder))} is there already"
        raise RequestError(problem, hint="name a new folder for the kit")


def _write(order: Order, own: str, wheels: Mapping[str, _Packed]) -> Kit:
    root, digest = fingerprint.of_root(order.root), sha256(wheels[own].data)
    said = _INSTALL.substitute(
        version=wheels[own].said.version,
        wheel=own,
        digest=digest,
        python=order.python,
        platform=order.platform,
        site=order.site,
        groups=root.groups,
        words=root.words,
    )
    files = {
        "INSTALL.txt": said.encode(),
        "requirements.txt": _requirements(wheels).encode(),
        "root.json": order.root,
        "root.fingerprint.txt": f"{root.groups}\n{root.words}\n".encode(),
        **{f"wheels/{name}": wheels[name].data for name in sorted(wheels)},
    }
    sums = "".join(f"{sha256(data)}  {path}\n" for path, data in files.items()).encode()
    _lay(order.folder, {**files, "SHA256SUMS": sums})
    return Kit(
        folder=order.folder,
        sums_sha256=sha256(sums),
        airlift=(own, digest),
        wheels=tuple(sorted(wheels)),
        size=len(sums) + sum(map(len, files.values())),
    )


def _requirements(wheels: Mapping[str, _Packed]) -> str:
    return "".join(
        f"{one.said.name}=={one.said.version} --hash=sha256:{sha256(one.data)}\n"
        for _, one in sorted(wheels.items())
    )


def _lay(folder: Path, files: Mapping[str, bytes]) -> None:
    disk, draft = Disk(), folder.with_name(f"{folder.name}.part")
    if draft.exists():
        disk.remove_tree(draft)
    disk.make_folder(draft)
    disk.make_folder(draft / "wheels")
    for path, data in files.items():
        disk.write_file(draft / path, data, mode=0o644)
    disk.rename(draft, folder)
    disk.sync_folder(folder.parent)
