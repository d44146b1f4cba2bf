"""What somebody may set around a command, and that it changes nothing."""

import json
import os
import stat
from pathlib import Path

import pytest

from integration.sides import Side

pytestmark = pytest.mark.timeout(900)
"""Seventeen commands in processes of their own: on a busy host they took 300 s."""
VARIANTS = {
    "plain": {},
    "proxies": dict.fromkeys(
        ("http_proxy", "https_proxy", "ALL_PROXY", "HTTPS_PROXY"), "http://192.0.2.1:9"
    ),
    "locale": {"LANG": "tr_TR.UTF-8", "LC_ALL": "C", "TZ": "Pacific/Kiritimati"},
    "python": {"PYTHONUTF8": "0", "PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "2"},
    "home": {"HOME": "/nonexistent", "XDG_DATA_HOME": "/nonexistent"},
}

MASKS = (0o022, 0o000, 0o077, 0o007, 0o027)


def test_no_setting_of_the_environment_changes_what_is_imported(
    tmp_path: Path,
) -> None:
    """Proxies, languages, time zones, Python's own switches, another home."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "\u00e9.txt").write_text("x" * 5_000)
    (tmp_path / "m.toml").write_text(
        'manifest = 1\n\n[[folder]]\nname = "acme/m"\npath = "model"\n'
    )
    connected = Side.connected(tmp_path)
    medium = str(tmp_path / "medium")
    connected.ok("export", str(tmp_path / "m.toml"), "--to", medium)
    root = str(connected.home / "root.json")
    seen = {}
    for mask, (name, environment) in enumerate(VARIANTS.items()):
        side = Side(tmp_path / name / "home", environment)
        side.home.parent.mkdir()
        side.ok("trust", "init", "--root", root, "--site", "plant7", "--yes")
        before = os.umask(MASKS[mask])
        try:
            side.ok("import", medium, "--yes")
        finally:
            os.umask(before)
        listed = json.loads(side.ok("list", "--json"))["releases"]
        for one in listed:
            del one["imported"]
        seen[name] = (listed, _store(side.home / "store"))
    assert [one for one in seen.values() if one != seen["plain"]] == []


def _store(folder: Path) -> list[tuple[str, int, bytes]]:
    """Return every file of a store with its mode and bytes."""
    return sorted(
        (
            str(path.relative_to(folder)),
            stat.S_IMODE(path.stat().st_mode),
            path.read_bytes(),
        )
        for path in folder.rglob("*")
        if path.is_file()
    )
