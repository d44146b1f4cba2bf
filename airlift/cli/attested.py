"""What was attested of a release, for people, for JSON and for other verifiers."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from airlift import naming
from airlift.artifact import Json, Release
from airlift.cli import output
from airlift.digest import Sha256
from airlift.format import keyless, oms
from airlift.store.durable import Disk
from airlift.trust.attestation import Judged

MODEL, KEYS, ROOTS = "model.sig", ".pem", ".trusted_root.json"
"""What files are called that other verifiers are given: as their manuals have it."""


def as_table(one: Judged) -> dict[str, Json]:
    """Return an attestation as JSON shows it; what nobody said is not in it."""
    told = None if one.problem else one.statement
    return {
        "sha256": one.sha256,
        "size": one.size,
        "at": one.at,
        "title": one.title,
        "type": told.predicate_type if told else "",
        "valid": not one.problem,
        "checked": not one.unchecked,
        "problem": one.problem,
        "by": one.by,
        "words": one.words,
        "predicate": told.predicate if told else None,
    }


def row(one: Judged) -> tuple[str, str]:
    """Return an attestation as a line of a table: what it is, and who says it."""
    if one.problem:
        verdict = f"{one.verdict.upper()}, {naming.show(one.problem)}"
        return "attested", f"{naming.show(one.title)}: {verdict}"
    said = f"{naming.show(one.title)} by {', '.join(one.by)}, {one.at}"
    return "attested", said


def show(several: Iterable[Judged]) -> None:
    """Print attestations in full, one after the other."""
    for one in several:
        output.line()
        output.line(naming.show(one.title))
        facts = [("sha256", one.sha256), ("when", one.at)]
        facts += [("said by", who) for who in one.by if not one.problem]
        if one.problem:
            facts.append((one.verdict.upper(), naming.show(one.problem)))
        facts += [("", naming.show(text)) for text in one.words]
        for key, value in facts:
            output.line(f"  {key:<10}{value}")


def write(
    one: Release, several: Mapping[Sha256, bytes], folder: Path
) -> tuple[Path, ...]:
    """Write the attestations of *one* into *folder*, and the keys to check them by.

    The first model signature is ``model.sig``, every other statement has its digest
    for a name.

    Returns:
        What was written.

    Raises:
        StoreError: The disk refuses.
    """
    disk, written = Disk(), {}
    disk.make_folder(folder)
    for listed in one.attestations:
        data = several[listed.sha256]
        name = f"{listed.sha256}.json"
        if oms.is_bundle(data) and folder / MODEL not in written:
            name = MODEL
        written[folder / name] = data
        for by in listed.by:
            if by.public.startswith("-----BEGIN"):
                written[folder / f"{by.key_id[:16]}{KEYS}"] = by.public.encode()
            elif by.scheme == keyless.SCHEME:
                written[folder / f"{by.key_id[:16]}{ROOTS}"] = keyless.root(by.public)
    for path, data in written.items():
        disk.write_file(path, data, mode=0o644)
    return tuple(written)
