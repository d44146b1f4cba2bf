"""Volumes of several deliveries, swapped in every way: none stands in for another."""

import itertools
import shutil
from pathlib import Path

import pytest

from airlift.errors import IncompleteError
from airlift.inbound import landing, media
from crossing import NOW, Crossing, Desk, noise

DELIVERIES, VOLUMES = 5, 4
CUT = 60_000


def test_no_volume_of_another_delivery_stands_in(tmp_path: Path) -> None:
    """Row A2: all pairs of 5 deliveries of 4 volumes; what lacks is named, each time."""
    crossing = Crossing(tmp_path)
    isolated = crossing.isolated
    sent = []
    for number in range(DELIVERIES):
        files = {f"{at}.bin": noise(40_000, 10 * number + at) for at in range(VOLUMES)}
        pinned = crossing.connected.folder("acme/m", files)
        medium = tmp_path / f"medium{number}"
        crossing.connected.export(medium, pinned, capacity=CUT)
        sent.append(sorted(medium.glob("*.tar")))
        assert len(sent[-1]) == VOLUMES
    before, tried = isolated.fingerprint(), 0
    for own, other in itertools.permutations(range(DELIVERIES), 2):
        for lost, stranger in itertools.product(range(VOLUMES), repeat=2):
            stick = tmp_path / "stick"
            stick.mkdir()
            for at, path in enumerate(sent[own]):
                source = sent[other][stranger] if at == lost else path
                shutil.copy(source, stick / path.name)
            groups = media.group(media.find([stick]).candidates)
            mine = max(groups, key=lambda group: len(group[1]))[1]
            assert len(mine) == VOLUMES - 1
            with pytest.raises(IncompleteError) as caught:
                landing.land(mine, isolated.gate, Desk(), now=NOW)
            assert caught.value.problem.endswith(f"needed: {sent[own][lost].name}")
            isolated.forget()
            shutil.rmtree(stick)
            tried += 1
    assert isolated.fingerprint() == before
    assert tried == 320
