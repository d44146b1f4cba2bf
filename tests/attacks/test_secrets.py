"""What must never be written down: passphrases, private keys, tokens."""

from pathlib import Path

import pytest

from commands import Shell

CANARY = "canary-7f3a91-sings-in-the-mine"


def test_no_secret_reaches_a_log_or_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A journey of both sides, with mistakes; then every file is searched."""
    phrase = tmp_path / "phrase"
    phrase.write_text(f"{CANARY}\n")
    wrong = tmp_path / "wrong"
    wrong.write_text(f"{CANARY}-no\n")
    with_phrase = ("--passphrase-file", phrase)
    connected = Shell(tmp_path / "connected", capsys)
    isolated = Shell(tmp_path / "isolated", capsys)
    said = [
        connected.good(
            *("trust", "init", "--site", "plant7", "--name", "alice"),
            *("--kdf", "low-memory", *with_phrase),
        )
    ]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a").write_text("x")
    manifest = tmp_path / "m.toml"
    manifest.write_text('manifest = 1\n\n[[folder]]\nname = "acme/m"\npath = "model"\n')
    medium = tmp_path / "medium"
    refused = connected("export", manifest, "--to", medium, "--passphrase-file", wrong)
    assert refused.code != 0
    said += [
        refused,
        connected.good("export", manifest, "--to", medium, *with_phrase),
        connected.good("trust", "deny", "--file", "0" * 64, "--why", "x", *with_phrase),
        isolated.good(
            *("trust", "init", "--site", "plant7", "--yes"),
            *("--root", connected.home / "root.json"),
        ),
        isolated.good("import", medium, "--yes"),
        isolated.good("doctor"),
    ]
    token = isolated.good("token", "create", "vllm", "--allow", "models:*", "--json")
    secret = str(token.json["token"])
    assert len(secret) > 20
    said += [isolated.good("token", "list"), isolated.good("list", "--json")]
    for done in said:
        assert CANARY not in done.out + done.err
        assert secret not in done.out + done.err
    secrets = (CANARY.encode(), secret.encode())
    found = [
        str(path)
        for folder in (connected.home, isolated.home, medium)
        for path in folder.rglob("*")
        if path.is_file() and any(one in path.read_bytes() for one in secrets)
    ]
    assert found == []
