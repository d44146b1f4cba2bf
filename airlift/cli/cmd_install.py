"""``airlift install``: put live releases into the folders of runtimes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, output
from airlift.errors import RequestError
from airlift.install import TARGETS, parcels
from airlift.install.installing import Installed, install
from airlift.install.layout import Order, Target
from airlift.install.placing import Way
from airlift.progress import Progress
from airlift.registry import finding
from airlift.registry.held import Event, Held
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore

_FOLDER = "folder"
_USUAL: dict[str, Callable[[], Path]] = {
    "hf-cache": config.hf_cache,
    "ollama": config.ollama_models,
}
"""Where runtimes look that were told nothing else."""
_WORDS = {Way.CLONE: "cloned", Way.LINK: "linked", Way.COPY: "copied"}


@click.command("install")
@click.argument("references", nargs=-1, required=True)
@click.option(
    "--to",
    "to",
    required=True,
    metavar="RUNTIME|FOLDER",
    help=f"One of {', '.join(sorted(TARGETS))}, or the path of a plain folder.",
)
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="The runtime's folder; without it, where the runtime looks by itself.",
)
@click.option("--copy", "way", flag_value=Way.COPY.value, help="Share no disk blocks.")
@click.option(
    "--link",
    "way",
    flag_value=Way.LINK.value,
    help="Hard-link where blocks cannot be shared; see the dangers in docs/install.md.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Replace damaged files, and names that lead to what is not airlift's.",
)
@config.home_option
@config.json_option
def command(
    home: Path,
    references: tuple[str, ...],
    to: str,
    into: Path | None,
    way: str | None,
    *,
    replace: bool,
    as_json: bool,
) -> None:
    """Install the live releases REFERENCES where a runtime on this host looks for them.

    The runtime may be running: content comes first, names last, and an interruption
    leaves nothing half visible. What is there already stays; running it again changes
    nothing. Every byte is hashed on its way. Files share disk blocks with the store
    where the file system can do that, and are copied elsewhere.
    """
    name, root = _place(to, into)
    errand = _Errand(
        home=home,
        to=name,
        root=root,
        way=Way(way or Way.CLONE),
        replace=replace,
        progress=output.progress(quiet=as_json),
    )
    done = errand.run(references, Registry.open(home))
    if as_json:
        listed: list[Json] = [_as_json(held, one, errand) for held, one in done]
        output.as_json({"installed": listed})
        return
    for held, one in done:
        _print(held, one, errand)


def _place(to: str, into: Path | None) -> tuple[str, Path]:
    """Return the target's name and folder.

    Raises:
        RequestError: No target is called so, or its folder must be named.
    """
    if to not in TARGETS and (into is not None or not _is_path(to)):
        known = ", ".join(sorted(TARGETS))
        problem = f"there is no runtime `{naming.show(to)}`; known are {known}"
        raise RequestError(problem, hint="write a folder's path with a slash: `./NAME`")
    if to not in TARGETS:
        return _FOLDER, Path(to)
    if into is not None:
        return to, into
    if to not in _USUAL:
        problem = f"`--to {to}` has no usual folder"
        raise RequestError(problem, hint="name it with `--into FOLDER`")
    return to, _USUAL[to]()


def _is_path(text: str) -> bool:
    # So that a runtime's name with a slip of the pen makes no folder.
    return "/" in text or text in (".", "..")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errand:
    """What the command line asks for."""

    home: Path
    to: str
    root: Path
    way: Way
    replace: bool
    progress: Progress

    @property
    def target(self) -> Target:
        """The runtime."""
        return TARGETS[self.to]

    def run(
        self, references: tuple[str, ...], registry: Registry
    ) -> list[tuple[Held, Installed]]:
        """Install each release; all of them are looked at before the first is."""
        chosen = [parcels.choose(registry, one) for one in references]
        store = BlobStore(self.home / "store", readonly=True)
        ready = [
            (held, parcels.parcel(registry, store, held, self.target))
            for held in chosen
        ]
        done = []
        for held, parcel in ready:
            order = Order(
                parcel=parcel,
                root=self.root,
                way=self.way,
                replace=self.replace,
                now=config.now(),
            )
            still = parcels.still_live(registry, held)
            one = install(order, self.target, store, still, self.progress)
            registry.log(self._event(held, one))
            done.append((held, one))
        return done

    def _event(self, held: Held, one: Installed) -> Event:
        detail: dict[str, Json] = {
            "release": held.id,
            "to": self.to,
            "folder": str(self.root.absolute()),
            "written": one.written,
            "names": one.names[-8:],
        }
        return Event(
            time=config.now(),
            actor=config.actor(),
            action="install",
            subject=finding.label(held),
            detail=detail,
        )


def _as_json(held: Held, one: Installed, errand: _Errand) -> dict[str, Json]:
    return {
        "id": held.id,
        "kind": held.release.kind.value,
        "name": held.release.name,
        "revision": held.release.revision,
        "to": errand.to,
        "folder": str(errand.root.absolute()),
        "ways": {way.value: one.ways.get(way, 0) for way in Way},
        "written": one.written,
        "present": one.present,
        "names": one.names,
        "notes": one.notes,
    }


def _print(held: Held, one: Installed, errand: _Errand) -> None:
    parts = [f"{count} {_WORDS[way]}" for way, count in one.ways.items() if count]
    if one.present:
        parts.append(f"{one.present} there already")
    how = ", ".join(parts) or "no files"
    folder = naming.show(str(errand.root.absolute()))
    output.line(f"{finding.label(held)}: {how}; {output.size(one.written)}")
    output.line(f"  {errand.to}: {folder}")
    for note in one.notes:
        output.line(f"  {note}")
