"""``airlift show``: one release."""

from collections.abc import Mapping
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import ContentClass, Json, ReleaseFile
from airlift.cli import attested, config, output, scanned
from airlift.cli.cmd_list import as_table
from airlift.digest import Sha256
from airlift.format import release as documents
from airlift.registry import scans
from airlift.registry.clearance import Standing
from airlift.registry.held import Delivered, Held
from airlift.registry.registry import Registry
from airlift.trust.attestation import Judged


@click.command("show")
@click.argument("reference")
@click.option(
    "--attestations",
    "in_full",
    is_flag=True,
    help="What was attested of it, by whom, in full, instead of its files.",
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the attestations there, with keys, for other verifiers.",
)
@config.home_option
@config.json_option
def command(
    home: Path, reference: str, *, in_full: bool, folder: Path | None, as_json: bool
) -> None:
    """Show the release REFERENCE: its files, where it came from, who signed it.

    REFERENCE is NAME, NAME@REVISION, KIND:NAME, or the first digits of a release id.
    """
    registry = Registry.open(home, readonly=True)
    held = registry.find(reference)
    files = registry.files(held.id)
    delivery = next(
        one for one in registry.deliveries() if one.sequence == held.sequence
    )
    custody = registry.custody()
    kept = _custody(custody.waiting([held]), custody.standings([held.id]), held)
    known = scans.told_by(registry.events(action=scans.ACTION))
    found = scans.of(known, held, {delivery.sequence: delivery.id})
    kept["scans"] = [{**scanned.as_table(one), "words": one.words} for one in found]
    judged = custody.attestations(held.id)
    kept["attestations"] = [attested.as_table(one) for one in judged]
    if folder:
        told = documents.decode(registry.document(held.id))
        kept["written"] = [
            str(path)
            for path in attested.write(told, custody.evidence(held.id), folder)
        ]
    if as_json:
        output.as_json({**_as_json(held, files, delivery), **kept})
    elif in_full or folder:
        _print_attested(held, judged, kept)
    else:
        _print(held, files, delivery, kept, judged)


def _print_attested(
    held: Held, judged: tuple[Judged, ...], kept: Mapping[str, Json]
) -> None:
    release = held.release
    output.line(f"{release.kind}:{naming.show(release.name)}  release {held.id}")
    if not judged:
        output.line("nothing was attested of it")
    attested.show(judged)
    written = kept.get("written")
    for path in written if isinstance(written, list) else ():
        output.line(f"written: {naming.show(str(path))}")


def _as_json(
    held: Held, files: tuple[ReleaseFile, ...], delivery: Delivered
) -> dict[str, Json]:
    listed: list[Json] = [
        {
            "path": one.path,
            "size": one.size,
            "sha256": one.sha256,
            "git_oid": one.git_oid,
            "format": one.format,
            "class": one.content_class.value,
            "facts": dict(one.facts),
        }
        for one in files
    ]
    signed: list[Json] = [
        {"role": one.role, "name": one.name, "key_id": one.key_id, "scheme": one.scheme}
        for one in delivery.signed_by
    ]
    return {
        **as_table(held),
        "upstream": held.release.upstream,
        "licence": held.release.licence,
        "base_models": held.release.base_models,
        "delivery": {
            "sequence": delivery.sequence,
            "issued": delivery.issued,
            "imported": delivery.imported,
            "operator": delivery.operator,
            "actor": delivery.actor,
            "signed_by": signed,
        },
        "file_list": listed,
    }


def _custody(
    waiting: Mapping[Sha256, str], standings: Mapping[Sha256, Standing], held: Held
) -> dict[str, Json]:
    """Return what a policy says of a release, as JSON shows it."""
    standing = standings.get(held.id)
    given: list[Json] = [
        {"by": one.by, "key_id": one.key_id, "at": one.at, "note": one.note}
        for one in (standing.approvals if standing else ())
    ]
    return {"waits": waiting.get(held.id, ""), "approvals": given}


def _print(
    held: Held,
    files: tuple[ReleaseFile, ...],
    delivery: Delivered,
    kept: dict[str, Json],
    judged: tuple[Judged, ...],
) -> None:
    release = held.release
    rows = [
        ("release", held.id),
        ("kind", release.kind.value),
        ("name", naming.show(release.name)),
        ("revision", naming.show(release.revision)),
        ("state", held.state.value),
        ("refs", naming.show(", ".join(release.refs)) or "-"),
        ("licence", naming.show(release.licence) or "not stated"),
        ("base models", naming.show(", ".join(release.base_models)) or "-"),
        ("size", f"{output.size(held.size)} in {held.files} files"),
        (
            "delivery",
            f"{delivery.sequence}, issued {delivery.issued} by {naming.show(delivery.operator)}",
        ),
        ("imported", f"{delivery.imported} by {naming.show(delivery.actor)}"),
    ]
    rows += [
        (f"upstream {naming.show(key)}", naming.show(str(value)))
        for key, value in sorted(release.upstream.items())
    ]
    rows += [
        (
            f"signed as {one.role}",
            f"{naming.show(one.name)} {one.scheme} {one.key_id[:16]}",
        )
        for one in delivery.signed_by
    ]
    rows += [
        (word, naming.show(why))
        for word, why in (("pinned", held.pinned), ("denied", held.denied))
        if why
    ]
    if kept["waits"]:
        rows.append(("waits", naming.show(str(kept["waits"]))))
    given = kept["approvals"]
    for one in given if isinstance(given, list) else ():
        assert isinstance(one, dict)
        words = (str(one["by"]), str(one["at"]), str(one["note"]))
        rows.append(("approved by", naming.show(" ".join(filter(None, words)))))
    found = kept["scans"]
    for one in found if isinstance(found, list) else ():
        assert isinstance(one, dict)
        rows.append(("scan", naming.show(str(one["words"]))))
    if not found:
        rows.append(("scan", "no report attached"))
    rows += [attested.row(one) for one in judged]
    for key, value in rows:
        output.line(f"{key:<22}{value}")
    output.line()
    cells = [
        (
            naming.show(one.path),
            output.size(one.size),
            one.format,
            _class(one),
            one.sha256[:16],
        )
        for one in files
    ]
    output.table(cells, head=("FILE", "SIZE", "FORMAT", "CLASS", "SHA256"))


def _class(file: ReleaseFile) -> str:
    return "" if file.content_class is ContentClass.DATA else file.content_class.value
