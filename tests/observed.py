"""Runtimes' folders, filled as their hosts would have them, and what is seen in them."""

import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from airlift.artifact import Kind, Release
from airlift.format import observation
from airlift.format.observation import Observation, Place
from airlift.install import TARGETS, observing, observing_python, parcels
from airlift.install.installing import install
from airlift.install.layout import Order
from airlift.install.observing import Notes
from airlift.install.placing import Way
from airlift.progress import Silent
from airlift.registry import observations
from airlift.registry.observations import Kept
from airlift.registry.registry import Registry
from audited import TODAY, World, model
from wheelhouse import wheel


def wheel_set(
    name: str, *packages: tuple[str, str], counter: int = 1
) -> tuple[Release, tuple[bytes, ...]]:
    """Return a wheel set of real wheels, and their bytes."""
    made = {filename: data for filename, data, _ in (wheel(*one) for one in packages)}
    return model(name, made, kind=Kind.WHEELS, counter=counter)


def put(world: World, reference: str, to: str, root: Path) -> None:
    """Install a live release of *world* into a runtime's folder."""
    with closing(Registry.open(world.home)) as registry:
        held = parcels.choose(registry, reference)
        parcel = parcels.parcel(registry, world.store, held, TARGETS[to])
        order = Order(parcel=parcel, root=root, way=Way.COPY, replace=False, now=TODAY)
        confirm = parcels.still_live(registry, held)
        install(order, TARGETS[to], world.store, confirm, Silent())


def pip(target: Path, *wheels: Path) -> None:
    """Install *wheels* into a folder, as pip does."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index"]
    command += ["--no-deps", "--no-compile", "--target", str(target)]
    subprocess.run([*command, *map(str, wheels)], check=True, timeout=120)


def environment(target: Path, *made: tuple[str, bytes]) -> None:
    """Install wheels of these names and bytes into *target*."""
    folder = target.with_name("wheels")
    folder.mkdir(exist_ok=True)
    for filename, data in made:
        (folder / filename).write_bytes(data)
    pip(target, *(folder / filename for filename, _ in made))


def look(
    host: str = "gpu-1",
    places: Mapping[Place, Path] | None = None,
    pythons: Mapping[str, Path] | None = None,
    *,
    time: str = TODAY,
) -> Observation:
    """Return what a host holds in these folders."""
    notes = Notes()
    environments = tuple(
        observing_python.environment(label, root, Silent(), notes)
        for label, root in sorted((pythons or {}).items())
    )
    models = observing.models(tuple((places or {}).items()), Silent(), notes)
    looked = [place.value for place in places or {}] + list(pythons or {})
    return Observation(
        host=host,
        time=time,
        tool="airlift test",
        looked=tuple(sorted(looked)),
        models=models,
        environments=environments,
        unread=tuple(notes.lines),
    )


def take(world: World, seen: Observation, *, now: str = TODAY) -> Kept:
    """Carry an observation to the site and take it in."""
    with closing(Registry.open(world.home)) as registry:
        data = observation.encode(seen)
        return observations.take(world.home, registry, data, now=now, actor="ann")


__all__ = ["environment", "look", "put", "take", "wheel_set"]
