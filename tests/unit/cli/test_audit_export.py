"""``airlift audit export``, ``check`` and ``controls``, as people run them."""

import json
from pathlib import Path

import pytest

from airlift.cli import config
from airlift.format import pack
from airlift.registry import reports
from airlift.registry.held import Event
from airlift.trust import site_key
from audited import World, model
from commands import Shell


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    """A site of today, whose log its key signs."""
    now = config.now()
    world = World(tmp_path / "site")
    key = site_key.create(world.home, "plant7")
    detail = {"key_id": str(key.public.key_id)}
    with world.registry() as registry:
        registry.log(Event(time=now, actor="ann", action="site-key", detail=detail))
    world.bring(model(), now=now)
    return world


@pytest.fixture(name="run")
def _run(world: World, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.home, capsys)


@pytest.fixture(name="key")
def _key(run: Shell, tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    run.good("trust", "site-key", path)
    return path


def test_a_pack_is_written_and_checked_where_no_site_is(
    run: Shell, key: Path, tmp_path: Path
) -> None:
    """An auditor's laptop has the pack, the key, and nothing else."""
    path = tmp_path / "evidence.tar"
    done = run("audit", "export", "--out", path)
    assert done.code == 8, done  # no catalogue: something is unknown
    assert done.lines[0].startswith(f"{path}: ")
    bare = run.bare("audit", "check", path, "--key", key)
    assert bare.code == 0, bare
    told = site_key.decode_public(key.read_bytes())
    assert bare.lines[-1] == (f"the pack is what site `plant7` signed ({told.key_id})")


def test_a_pack_that_was_changed_ends_with_exit_code_4(
    run: Shell, key: Path, tmp_path: Path
) -> None:
    """And what was changed is named."""
    path = tmp_path / "evidence.tar"
    run("audit", "export", "--out", path, "--no-bom")
    top, files = pack.decode(path.read_bytes())
    files["report.html"] = files["report.html"].replace(b"finding", b"nothing")
    path.write_bytes(pack.encode(top, files))
    done = run.bare("audit", "check", path, "--key", key, "--json")
    assert (done.code, done.json["sound"]) == (4, False)
    bad = [one for one in done.json["parts"] if one["state"] == "changed"]
    assert [one["name"] for one in bad] == ["report.html"]


def test_a_pack_that_was_unpacked_is_checked_too(
    run: Shell, key: Path, tmp_path: Path
) -> None:
    """That is how most people look into a tar."""
    path, folder = tmp_path / "evidence.tar", tmp_path / "unpacked"
    run("audit", "export", "--out", path, "--no-bom")
    folder.mkdir()
    for name, data in pack.decode(path.read_bytes())[1].items():
        (folder / name).write_bytes(data)
    assert run.bare("audit", "check", folder, "--key", key).code == 0
    (folder / "more.txt").write_text("x")
    assert run.bare("audit", "check", folder, "--key", key).code == 4


@pytest.mark.parametrize(
    ("form", "ending", "begins"),
    [
        ("json", "json", b'{"as_of"'),
        ("html", "html", b"<!DOCTYPE html>"),
        ("cyclonedx", "cdx.json", b'{"$schema": "http://cyclonedx.org/'),
        ("spdx3", "spdx3.json", b'{"@context": "https://spdx.org/'),
        ("sarif", "sarif", b'{"$schema": "https://docs.oasis-open.org/sarif'),
        ("csv", "csv", b"id,severity,verdict"),
    ],
)
def test_each_form_is_written_into_a_folder_under_a_name_of_its_own(
    run: Shell, tmp_path: Path, form: str, ending: str, begins: bytes
) -> None:
    """Reports of many days lie side by side."""
    folder = tmp_path / "out"
    folder.mkdir()
    done = run("audit", "export", "--out", folder, "--format", form, "--json")
    (path,) = folder.iterdir()
    assert path.name == f"airlift-audit-plant7-{done.json['run_id']}.{ending}"
    assert path.read_bytes().startswith(begins)


def test_a_recorded_pack_is_kept_with_the_site(run: Shell, world: World) -> None:
    """The page offers it, and the next one compares itself with it."""
    done = run("audit", "export", "--record", "--no-bom", "--json")
    (kept,) = reports.recorded(world.home)
    assert kept.run_id == done.json["run_id"]
    assert kept.size == done.json["bytes"]
    told = reports.report(world.home, kept.name)
    assert told is not None
    assert told["run_id"] == kept.run_id
    assert told["generated_at"] == kept.time


def test_a_recorded_pack_that_was_changed_is_not_read(run: Shell, world: World) -> None:
    """A page would show what nobody found."""
    run("audit", "export", "--record", "--no-bom")
    (kept,) = reports.recorded(world.home)
    path = world.home / reports.FOLDER / kept.name
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"unknown", b"unclear"))
    assert reports.report(world.home, kept.name) is None


def test_only_names_of_packs_are_read(world: World) -> None:
    """A name comes from whoever asks the page."""
    assert reports.read(world.home, "../registry.db") is None
    assert reports.read(world.home, "20260101T000000Z-0123456789abcdef.tar") is None


def test_a_site_without_a_key_is_told_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pack that nobody signed is no evidence."""
    world = World(tmp_path / "site")
    done = Shell(world.home, capsys)("audit", "export", "--out", tmp_path / "x.tar")
    assert done.code == 2
    assert not (tmp_path / "x.tar").exists()


def test_a_pack_has_to_go_somewhere(run: Shell) -> None:
    """Half a minute of work for nothing helps nobody."""
    done = run("audit", "export")
    assert done.code == 2
    assert "there is nowhere to write to" in done.err


def test_controls_are_listed_with_answers(run: Shell) -> None:
    """With the words of a framework, for somebody who knows that and not airlift."""
    done = run("audit", "controls", "--framework", "cra", "--json")
    (question,) = done.json["questions"]
    assert {one["framework"] for one in question["rows"]} == {"cra"}
    refused = run("audit", "controls", "--framework", "nope")
    assert refused.code == 2
    assert "there is no framework `nope`" in refused.err
    assert json.loads(done.out)["exit_code"] == done.code
