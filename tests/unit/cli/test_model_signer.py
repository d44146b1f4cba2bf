"""Files that say whose model signatures are believed."""

import json
from pathlib import Path

import pytest

from airlift.cli import model_signer
from airlift.errors import AirliftError, RequestError
from attestations import certify, pem
from authority import key
from sigstores import IDENTITY, ISSUER, Sigstore

WORLD = Sigstore()
TOLD = f'identity = "{IDENTITY}"\nissuer = "{ISSUER}"\ntrusted-root = "roots/r.json"\n'


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots" / "r.json").write_text(json.dumps(WORLD.root()))
    return tmp_path


def test_an_identity_is_read_with_the_trust_root_beside_it(folder: Path) -> None:
    """Relative to the file, wherever the command was started."""
    (folder / "acme.toml").write_text(TOLD)
    assert model_signer.read(folder / "acme.toml") == WORLD.signatory()


def test_keys_and_authorities_are_read_as_before(folder: Path) -> None:
    """What they are is told by what is in them, and named after the file."""
    root = certify("Acme Root", authority=True)
    (folder / "acme.pem").write_bytes(root.pem)
    (folder / "models.pem").write_bytes(pem(key("models", "ecdsa-sha2-nistp256")))
    found = [model_signer.read(folder / f"{one}.pem") for one in ("acme", "models")]
    assert [(one.name, one.scheme) for one in found] == [
        ("acme", "x509"),
        ("models", "ecdsa-sha2-nistp256"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("identity =", "is not TOML: Invalid value"),
        (
            TOLD + "more = 1\n",
            "`more` is not known here; known are `identity`, `issuer`",
        ),
        (TOLD.replace("issuer", "#"), "`issuer` is missing"),
        (TOLD.replace(f'"{ISSUER}"', "7"), "`issuer` is integer, expected string"),
        (TOLD.replace("r.json", "s.json"), "roots/s.json"),
        (TOLD.replace(IDENTITY, ""), "the identity `` cannot be one"),
        (TOLD.replace("roots/r.json", "a.toml"), "a.toml is not strict JSON"),
    ],
)
def test_a_file_that_names_nobody_is_refused(
    folder: Path, text: str, said: str
) -> None:
    """Before anything is fetched, with the place in it."""
    (folder / "a.toml").write_text(text)
    with pytest.raises(AirliftError) as caught:
        model_signer.read(folder / "a.toml")
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named(folder: Path) -> None:
    """The error of a person who is typing."""
    with pytest.raises(RequestError, match=r"^cannot read .*b\.toml: No such file"):
        model_signer.read(folder / "b.toml")
