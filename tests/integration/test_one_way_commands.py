"""send, watch, resend: both ends of a one-way link, as people and timers run them."""

from pathlib import Path

from crossing import noise
from integration.sides import SITE, Side


def test_a_lost_volume_is_asked_for_by_a_line_and_comes_again(tmp_path: Path) -> None:
    """What the watch says on the far side is what the near side is told to send."""
    near = Side.connected(tmp_path)
    far = near.isolated(tmp_path)
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "a.bin").write_bytes(noise(9_000_000))
    manifest = tmp_path / "wanted.toml"
    manifest.write_text('manifest = 1\n[[folder]]\nname = "acme/m"\npath = "input"\n')
    made, drop = tmp_path / "made", tmp_path / "drop"
    drop.mkdir()
    near.ok("export", str(manifest), "--to", str(made), "--volume-size", "4500000")
    assert near.ok("send", str(made), "--to", str(drop)).startswith(
        f"delivery 1 to {SITE}: 6 file(s) sent, 9."
    )
    front = f"airlift-{SITE}-000001"
    (drop / f"{front}.0002-of-0003.tar").unlink()
    once = ("watch", str(drop), "--settle", "0", "--once")
    error, _ = far.fails(8, *once)
    wanted = error.rpartition(" ")[2]
    assert wanted.startswith("2@")
    for path in made.iterdir():
        path.unlink()
    said = near.ok("resend", SITE, "1", wanted, "--to", str(drop))
    assert said.startswith(f"delivery 1 to {SITE}: 4 file(s) sent, 4.")
    assert (drop / f"{front}.0002-of-0003.r2.tar").exists()
    assert not list((near.home / "outbox").iterdir())
    told = far.ok(*once).splitlines()
    assert told[-2] == f"delivery 1 to {SITE}: complete; live set 1"
    again = near.json("resend", SITE, "1", "1,3", "--to", str(drop))["deliveries"]
    assert again[0]["files"][0] == f"{front}.0001-of-0003.r3.tar"


def test_options_of_a_hook_need_one(tmp_path: Path) -> None:
    """A file that was to be taken and is only left there would never leave."""
    near = Side.connected(tmp_path)
    error, _ = near.fails(
        2, "send", str(tmp_path), "--to", str(tmp_path), "--hook-takes"
    )
    assert error == "airlift: error: --hook-takes is about a hook, and there is none"
    words = ("send", str(tmp_path), "--to", str(tmp_path), "--hook", "curl")
    assert near.fails(2, *words) == [
        "airlift: error: `curl` has no place for {file} or {name}",
        "airlift: hint: write, for example, `program {file}`",
    ]
    lines = near.fails(2, "send", str(tmp_path), "--to", str(tmp_path / "none"))
    assert lines[0] == f"airlift: error: {tmp_path / 'none'} is not a folder"
