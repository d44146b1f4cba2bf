"""Keys in a token, with SoftHSM2: signed by it, and every wrong one told apart."""

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airlift.errors import AirliftError, RequestError, TrustError
from airlift.trust import public, token
from airlift.trust.token import Place, TokenKey
from commands import Shell

PIN, SO_PIN = "1234", "5678"
UTIL = shutil.which("softhsm2-util")
pytestmark = pytest.mark.skipif(
    UTIL is None, reason="softhsm2-util is not installed (Debian: softhsm2)"
)


@dataclass(frozen=True)
class Tokens:
    """SoftHSM2 with tokens `ann`, `bob` and `twins`, in a folder of its own."""

    module: Path
    folder: Path

    def made(self, label: str) -> None:
        """Make a token."""
        self._util("--init-token", "--free", "--label", label, "--so-pin", SO_PIN)

    def put(self, label: str, item: str, curve: ec.EllipticCurve) -> None:
        """Put a new key into a token under an id."""
        path = self.folder / f"{label}-{len(list(self.folder.iterdir()))}.pem"
        path.write_bytes(
            ec.generate_private_key(curve).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        named = ("--token", label, "--label", path.stem, "--id", item, "--force")
        self._util("--import", str(path), *named)

    def _util(self, *words: str) -> None:
        assert UTIL
        told = [UTIL, "--module", str(self.module), *words, "--pin", PIN]
        subprocess.run(told, check=True, capture_output=True, timeout=60)

    def place(self, label: str = "ann", item: int = 2) -> Place:
        """Return where a key lies."""
        return Place(module=str(self.module), token=label, item=item)


@pytest.fixture(name="tokens", scope="module")
def _tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "store").mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder}/store\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(settings)  # read by the module and its program
    assert UTIL
    module = Path(UTIL).parent.parent / "lib/softhsm/libsofthsm2.so"
    made = Tokens(module, folder)
    for label in ("ann", "bob", "twins"):
        made.made(label)
        made.put(label, "02", ec.SECP384R1())
    made.put("ann", "03", ec.SECP256R1())
    made.put("twins", "02", ec.SECP384R1())
    yield made
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.mark.parametrize(
    ("item", "scheme"), [(2, "ecdsa-sha2-nistp384"), (3, "ecdsa-sha2-nistp256")]
)
def test_a_token_signs_as_a_file_would(
    tokens: Tokens, tmp_path: Path, item: int, scheme: str
) -> None:
    """Every signature has the one form a site accepts: half of a token's have not."""
    made = token.enrol("ann", tokens.place(item=item), PIN)
    path = token.save(tmp_path, made)
    found = token.decode(path.read_bytes(), name="ann.key")
    assert (found, found.public.scheme) == (made, scheme)
    key = found.unlock(PIN)
    for at in range(8):
        payload = bytes([at])
        assert public.read(tmp_path / "ann.pub").verifies(key.sign(payload), payload)


def refused(key: TokenKey, pin: str = PIN) -> AirliftError:
    """Open *key*, which must fail."""
    with pytest.raises(AirliftError) as caught:
        key.unlock(pin)
    return caught.value


def test_a_wrong_pin_is_told_as_one(tokens: Tokens) -> None:
    """A token locks itself after a few: nobody should guess on."""
    error = refused(token.enrol("ann", tokens.place(), PIN), "0000")
    assert isinstance(error, TrustError)
    assert str(error) == "the PIN does not open the token `ann`"


def test_a_token_that_is_not_in_is_named(tokens: Tokens) -> None:
    """The right one must be put in; no file takes its place."""
    key = replace(token.enrol("ann", tokens.place(), PIN), place=tokens.place("eve"))
    error = refused(key)
    assert isinstance(error, RequestError)
    assert str(error) == (
        "the token `eve` has no such key: No PKCS#11 token found for label eve"
    )


def test_another_key_under_the_same_id_is_told_apart(tokens: Tokens) -> None:
    """What it signed would be refused by every site, after the ceremony."""
    key = replace(token.enrol("ann", tokens.place(), PIN), place=tokens.place("bob"))
    error = refused(key)
    assert isinstance(error, TrustError)
    assert str(error) == "the token `bob` holds another key than that of `ann`"


def test_two_keys_under_one_id_are_refused(tokens: Tokens) -> None:
    """Which of them signs would be chance; and nothing is left open in the token."""
    with pytest.raises(RequestError) as caught:
        token.enrol("ann", tokens.place("twins"), PIN)
    assert str(caught.value) == "the token `twins` has 2 keys under the id 2"
    key = replace(token.enrol("ann", tokens.place(), PIN), place=tokens.place("twins"))
    assert str(refused(key)) == "the token `twins` has 2 keys under the id 2"
    gc.collect()  # what is left open is told of here, and fails the test


def test_an_id_that_is_not_there_is_said_so(tokens: Tokens) -> None:
    """The default is that of one kind of card only."""
    with pytest.raises(RequestError) as caught:
        token.enrol("ann", tokens.place(item=9), PIN)
    assert str(caught.value).startswith("the token `ann` has no such key: could not")


def test_a_module_that_is_not_installed_is_named(
    tokens: Tokens, tmp_path: Path
) -> None:
    """The message says what to install."""
    key = token.enrol("ann", tokens.place(), PIN)
    place = replace(key.place, module=str(tmp_path / "none.so"))
    error = refused(replace(key, place=place))
    assert str(error) == f"there is no PKCS#11 module {tmp_path}/none.so"


def test_a_side_begins_and_signs_with_a_token(
    tokens: Tokens, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the real commands: the PIN takes the place of the passphrase."""
    shell = Shell(tmp_path / "home", capsys)
    phrase = tmp_path / "pin"
    phrase.write_text(PIN)
    given = ("--passphrase-file", phrase)
    named = ("--label", "ann", "--module", tokens.module)
    shell.good("trust", "token", "ann", *named, *given)
    approver = tmp_path / "home/keys/ann.pub"
    shell.good("trust", "init", "--site", "plant7", "--approver", approver, *given)
    assert "ecdsa-sha2-nistp384" in shell.good("trust", "check", approver).out
    assert not shell.good("trust", "show").err
