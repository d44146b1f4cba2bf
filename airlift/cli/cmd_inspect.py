"""``airlift inspect``: what volumes hold and who signed them."""

from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, output, sighting
from airlift.cli.sighting import Sighting
from airlift.errors import AirliftError, FormatError, RegistryError, RequestError
from airlift.format import dispatch, release
from airlift.format.reading import read_front
from airlift.inbound import media
from airlift.inbound.media import Candidate
from airlift.registry.registry import Registry
from airlift.trust import encryption_key, fingerprint
from airlift.trust.delivery import TrustState
from airlift.trust.verifier import verify


@click.command("inspect")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--files", is_flag=True, help="Every file: digest, and whether a scanner sees it."
)
@config.home_option
@config.json_option
def command(home: Path, paths: tuple[Path, ...], *, files: bool, as_json: bool) -> None:
    """Show what the volumes in PATHS say they hold, and whether this site believes it.

    Reads only the signed files in front of each delivery; takes nothing in. On a host
    without a registry it shows what is claimed, and says that nothing was verified.

    With --files, for a scan station: what a virus scanner can open and what not, and
    the digest of every file, to be allowed by.
    """
    found = media.find(paths, encryption_key.opener(home))
    groups = media.group(found.candidates)
    if not groups:
        problem = f"no airlift volume in {', '.join(map(str, paths))}"
        raise RequestError(problem, hint="is this the right medium, and mounted?")
    state = _state(home)
    looked = [
        _closed(candidates) if candidates[0].locked else _look(candidates, state)
        for _, candidates in groups
    ]
    if as_json:
        shown: list[Json] = list(looked)
        output.as_json({"deliveries": shown, "strays": list(found.strays)})
        return
    for one in looked:
        _print(one)
        if "sight" in one:
            sighting.show(one["sight"], files=files)
    for fault in found.faults:
        output.line(f"damaged: {fault}")
    for stray in found.strays:
        output.line(f"no volume: {stray}")


def _state(home: Path) -> TrustState | None:
    try:
        return Registry.open(home, readonly=True).trust_state()
    except RegistryError:
        return None


def _look(candidates: list[Candidate], state: TrustState | None) -> dict[str, Json]:
    """Return what the first readable volume of a delivery says, and the verdict."""
    label = candidates[0].label
    records = _records(candidates)
    seen = sighting.look(records, candidates)
    releases = _releases(records, seen)
    root = records.get("metadata/1.root.json", b"")
    name = f"records/{dispatch.target_name(label.site, label.sequence)}"
    if name not in records:
        problem = f"{candidates[0].name} has no dispatch record"
        raise FormatError(problem, hint="copy it again from its source")
    claimed = dispatch.decode(records[name])
    return {
        "site": label.site,
        "sequence": label.sequence,
        "issued": claimed.issued,
        "operator": claimed.operator,
        "volumes_here": [one.name for one in candidates],
        "volumes": label.count,
        "root_fingerprint": fingerprint.of_root(root).digest if root else "",
        "releases": releases,
        "sight": seen.as_table(),
        "verdict": _verdict(records, state),
    }


def _closed(candidates: list[Candidate]) -> dict[str, Json]:
    """Return what the covers of volumes say that this host cannot read."""
    label = candidates[0].label
    return {
        "site": label.site,
        "sequence": label.sequence,
        "volumes_here": [one.name for one in candidates],
        "volumes": label.count,
        "locked": candidates[0].locked,
        "verdict": "not verified: this host cannot read it",
    }


def _records(candidates: list[Candidate]) -> dict[str, bytes]:
    first: AirliftError | None = None
    for one in candidates:
        try:
            with one.opened() as source:
                return dict(read_front(source).records)
        except FormatError as error:
            first = first or error
    assert first
    raise first


def _releases(records: dict[str, bytes], seen: Sighting) -> list[Json]:
    found: list[Json] = []
    for name, data in sorted(records.items()):
        if name.startswith("records/releases/"):
            one = release.decode(data, name=name)
            found.append(
                {
                    "kind": one.kind.value,
                    "name": one.name,
                    "revision": one.revision,
                    "licence": one.licence,
                    "files": len(one.files),
                    "bytes": one.size,
                    "file_list": seen.files(one),
                }
            )
    return found


def _verdict(records: dict[str, bytes], state: TrustState | None) -> str:
    if state is None:
        return "not verified: this host has accepted no root"
    try:
        verified = verify(records, state, now=config.now())
    except AirliftError as error:
        return f"refused: {error.problem}"
    names = ", ".join(dict.fromkeys(one.name for one in verified.signed_by))
    done = "imported before; " if verified.repeat else ""
    return f"{done}believed here, signed by {names}"


def _print(one: dict[str, Json]) -> None:
    here, releases = one["volumes_here"], one.get("releases", [])
    assert isinstance(here, list)
    assert isinstance(releases, list)
    told = str(one.get("locked", ""))
    if not told:
        told = f"issued {one['issued']} by {naming.show(str(one['operator']))}"
    output.line(f"delivery {one['sequence']} to {one['site']}, {told}")
    output.line(f"  verdict: {naming.show(str(one['verdict']))}")
    if "root_fingerprint" in one:
        output.line(f"  root: {one['root_fingerprint']}")
    output.line(f"  {len(here)} volume file(s) here, {one['volumes']} in all")
    for release_table in releases:
        assert isinstance(release_table, dict)
        size = release_table["bytes"]
        assert isinstance(size, int)
        name = naming.show(str(release_table["name"]))
        output.line(
            f"  {release_table['kind']}  {name}  {str(release_table['revision'])[:12]}  {output.size(size)}"
        )
