"""The folder that a log is carried away in (docs/log.md, "Carried away")."""

from collections.abc import Mapping
from pathlib import Path

from airlift import naming
from airlift.errors import RequestError
from airlift.format import checkpoint, cosignature
from airlift.registry.logbook import Logbook
from airlift.registry.sealing import Sealed
from airlift.store.durable import Disk
from airlift.trust.cosignature import cosigner

_POLICY = "# Whoever holds this key kept the log; no witness has to have seen it.\n"


def write(book: Logbook, folder: Path) -> Sealed:
    """Write the log to *folder*; return the checkpoint that covers it.

    Raises:
        RequestError: There is something in the folder, or no checkpoint was signed.
        RegistryError: The database cannot answer.
        StoreError: The disk refuses.
    """
    newest, disk = book.newest(), Disk()
    disk.make_folder(folder)
    if any(folder.iterdir()):
        problem = f"there is something in {folder}"
        raise RequestError(problem, hint="name a folder that is new or empty")
    entries = b"".join(one + b"\n" for one in book.entries(newest.size))
    site = checkpoint.decode(newest.note).checkpoint.site
    sealed = book.checkpoints()
    keys = dict.fromkeys(checkpoint.verifier_key(site, one.public) for one in sealed)
    current = checkpoint.verifier_key(site, newest.public)
    files = {
        "entries.jsonl": entries,
        "checkpoint": newest.note,
        "keys": "".join(f"{one}\n" for one in keys).encode(),
        "policy": f"{_POLICY}log {current}\nquorum none\n".encode(),
    }
    for one in sealed:
        files[f"checkpoints/{one.size:08d}"] = one.note
    files |= _cosigned(book, {one.size: one.note for one in sealed})
    for name, data in files.items():
        _put(disk, folder / name, data)
    for number, proof in enumerate(book.proofs(), start=1):
        _put(disk, folder / "proofs" / f"{number:08d}.tlog-proof", proof)
    return newest


def _cosigned(book: Logbook, notes: Mapping[int, bytes]) -> dict[str, bytes]:
    """Return the files of cosignatures; none where nobody cosigned."""
    lines: dict[int, list[str]] = {}
    keys: dict[str, str] = {}
    for one in book.cosignatures():
        lines.setdefault(one.told.size, []).append(one.line)
        who = naming.show(one.key.name)
        keys[cosigner(one.key).verifier_key] = f"# {who}, {one.key.scheme}"
    files = {
        f"cosigned/{size:08d}": cosignature.joined(notes[size], some)
        for size, some in lines.items()
    }
    if keys:
        listed = (f"{who}\n{key}\n" for key, who in keys.items())
        files["cosigners"] = "".join(listed).encode()
    return files


def _put(disk: Disk, path: Path, data: bytes) -> None:
    if not path.parent.is_dir():
        disk.make_folder(path.parent)
    disk.write_file(path, data, mode=0o644)
