"""``airlift observe``: write down what a runtime's host really holds."""

from pathlib import Path

import click

from airlift import __version__, naming
from airlift.cli import config, observing_places, output
from airlift.cli.observing_places import Chosen
from airlift.digest import sha256
from airlift.errors import IncompleteError, RequestError
from airlift.format import observation
from airlift.format.observation import Observation
from airlift.install import observing, observing_python
from airlift.registry import observations
from airlift.registry.observations import Kept
from airlift.registry.registry import Registry
from airlift.store.durable import Disk, read_file

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("observe")
@click.option("--host", help="What the site calls this host: a-z, 0-9 and -.")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write, to be carried to the isolated site.",
)
@click.option("--hub", type=_FOLDER, help="A Hugging Face cache (`$HF_HOME/hub`).")
@click.option("--ollama", type=_FOLDER, help="A folder of Ollama's models.")
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="[NAME=]DIR",
    help="A virtual environment or `site-packages`, and what to call it; repeat.",
)
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    metavar="NAME=VERSION",
    help="A runtime that is no Python package, as you know it; repeat.",
)
@click.option(
    "--read",
    "given",
    type=click.Path(path_type=Path, dir_okay=False),
    help="On the isolated site: take in what such a file says, instead of looking.",
)
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    host: str | None,
    target: Path | None,
    hub: Path | None,
    ollama: Path | None,
    pythons: tuple[str, ...],
    runtimes: tuple[str, ...],
    given: Path | None,
    as_json: bool,
) -> int:
    """Hash what runtimes on this host hold and write it into one file.

    Models of Hugging Face caches and of Ollama, and the packages of Python environments
    by their own records: names, versions and digests; no path, user or address. Without
    a folder, the usual ones of this user are looked at. Needs no registry and no
    network. On the isolated site, `--read FILE` takes it in and `airlift audit hosts`
    compares it with what was approved. Exit code 8: something could not be read.
    """
    if given is not None:
        kept = take_in(home, given)
        if as_json:
            output.as_json({"host": kept.host, "time": kept.time, "id": kept.id})
        else:
            output.line(told(kept))
        return 0
    if target is None or host is None:
        problem = "--host and --to are needed, or --read"
        hint = "`airlift observe --host gpu-1 --to /media/stick/gpu-1.json`, say"
        raise RequestError(problem, hint=hint)
    chosen = observing_places.chosen(hub=hub, ollama=ollama, pythons=pythons)
    seen = _look(host, chosen, runtimes, quiet=as_json)
    data = observation.encode(seen)
    Disk().write_file(target, data, mode=0o644)
    if as_json:
        output.as_json({"file": str(target), "sha256": sha256(data), **_counts(seen)})
    else:
        _tell(seen)
        output.line(f"wrote {naming.show(str(target))}, {output.size(len(data))}")
    return IncompleteError.exit_code if seen.unread else 0


def told(kept: Kept) -> str:
    """Return what a person is told of an observation that was taken in."""
    return f"host {kept.host}, observed {kept.time}: taken in as {kept.id}"


def take_in(home: Path, given: Path) -> Kept:
    """Take an observation into the registry of *home*; return what it is of.

    Raises:
        RequestError: It cannot be read, or is older than one that was taken in.
        FormatError: It is no observation.
        RegistryError, StoreError: It cannot be recorded.
    """
    data = read_file(given, limit=observation.LIMIT, error=RequestError)
    registry = Registry.open(home)
    try:
        return observations.take(
            home, registry, data, now=config.now(), actor=config.actor()
        )
    finally:
        registry.close()


def _look(
    host: str, chosen: Chosen, runtimes: tuple[str, ...], *, quiet: bool
) -> Observation:
    if not naming.is_site(host):
        problem = f"`{naming.show(host)}` is no name of a host"
        raise RequestError(problem, hint="1 to 32 of a-z, 0-9 and -: gpu-1, say")
    declared = observing_places.declared(runtimes)
    progress, notes = output.progress(quiet=quiet), observing.Notes()
    # The time before the first look: nothing is younger than it is said to be.
    begun = config.now()
    models = observing.models(chosen.models, progress, notes)
    environments = tuple(
        observing_python.environment(label, root, progress, notes)
        for label, root in chosen.environments
    )
    return Observation(
        host=host,
        time=begun,
        tool=f"airlift {__version__}",
        looked=chosen.labels,
        models=models,
        environments=environments,
        runtimes=declared,
        unread=tuple(notes.lines),
    )


def _counts(seen: Observation) -> dict[str, int]:
    return {
        "models": len(seen.models),
        "files": sum(len(one.files) for one in seen.models),
        "packages": sum(len(one.packages) for one in seen.environments),
        "unread": len(seen.unread),
    }


def _tell(seen: Observation) -> None:
    for model in seen.models:
        name, revision = naming.show(model.name), naming.show(model.revision[:12])
        output.line(f"{model.place}  {name}@{revision}  {len(model.files)} files")
    for one in seen.environments:
        altered = sum(1 for package in one.packages if package.altered_count)
        told = f"{len(one.packages)} packages, {altered} altered"
        output.line(f"{one.label}  Python {one.python or 'unknown'}, {told}")
    for line in seen.unread:
        output.note(f"warning: {line}")
