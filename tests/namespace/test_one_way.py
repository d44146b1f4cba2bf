"""Through a real one-way link: udpcast between two network namespaces, with loss."""

from pathlib import Path

import pytest

import oneway
import oneway_link
from airlift.format import selection
from oneway_link import Quality

_REASON = oneway_link.reason()
pytestmark = [
    pytest.mark.namespace,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(_REASON), reason=_REASON or "possible here"),
]


def test_a_delivery_arrives_through_a_link_that_answers_nothing(tmp_path: Path) -> None:
    """Loss, lost files, one cut off, one more pass: no packet came back, and all came.

    The 64 MB of `scripts/oneway.py`, which prints the same for 1 GB.
    """
    report = oneway.carry(tmp_path, 64, oneway.passes(Quality(loss=10, mbps=200)))
    told = [one["text"] for one in report.events]
    assert (report.complete, report.same, report.heard) == (True, True, 0), told
    first, *others = report.passes
    assert first.lost > first.packets // 200
    assert {3, 7, 12, 15} <= set(selection.decode(first.waiting).ordinals), told
    assert (first.damaged > 0, len(others) > 0) == (True, True), told
    assert report.rebuilt > 0, told
    assert told[-1] == "stopped; what came is kept"
