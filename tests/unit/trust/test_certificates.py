"""Which certificates may sign models, for which authority, and when."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from airlift.errors import FormatError, RequestError
from airlift.trust import attesting, certificates
from attestations import (
    Certified,
    certify,
    code_signing,
    pem,
    public_pem,
    signing_usage,
)
from authority import key

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
ROOT = certify("Root", authority=True, days=3650)


def problem(*chain: Certified, at: datetime = JUNE, root: Certified = ROOT) -> str:
    """Return why a chain is refused."""
    with pytest.raises(FormatError) as caught:
        certificates.signer(tuple(one.der for one in chain), root.certificate, at=at)
    return caught.value.problem


def test_a_chain_that_leads_to_the_authority_gives_its_signer() -> None:
    """Whether the authority itself is in the bundle makes no difference."""
    leaf = certify("Leaf", ROOT)
    for chain in ([leaf], [leaf, ROOT]):
        found, who = certificates.signer(
            tuple(one.der for one in chain), ROOT.certificate, at=JUNE
        )
        assert (found, who) == (leaf.key.public_key(), "CN=Leaf")


def test_every_certificate_has_to_be_valid_at_that_time() -> None:
    """The signer's, those between, and the authority's own."""
    short = certify("Short", authority=True, days=30)
    below = certify("Below", short)
    between = certify("Between", ROOT, authority=True, days=30)
    for chain, root in (
        ((certify("Leaf", ROOT, days=30),), ROOT),
        ((certify("Leaf", between), between), ROOT),
        ((below,), short),
    ):
        assert problem(*chain, root=root).startswith("its certificate does not lead")
        january = datetime(2026, 1, 15, tzinfo=UTC)
        ders = tuple(one.der for one in chain)
        assert certificates.signer(ders, root.certificate, at=january)
    early = datetime(2025, 6, 1, tzinfo=UTC)
    assert "not valid at validation time" in problem(certify("Leaf", ROOT), at=early)


def test_only_an_authority_certifies_others() -> None:
    """Else who holds any certificate could make signers."""
    plain = certify("Plain", ROOT)
    assert "its certificate does not lead" in problem(certify("Leaf", plain), plain)


def test_a_chain_without_its_middle_leads_nowhere() -> None:
    """Nothing is looked up, here or anywhere."""
    between = certify("Between", ROOT, authority=True)
    assert "does not lead" in problem(certify("Leaf", between))


@pytest.mark.parametrize(
    "usages",
    [
        (),
        (signing_usage(signs=False),),
        (signing_usage(signs=False), code_signing()),
    ],
    ids=["none stated", "agrees on keys", "code, by a key that does not sign"],
)
def test_a_certificate_that_is_not_for_signing_does_not_sign(usages: object) -> None:
    """Every usage it states has to be for signing, and it has to state one."""
    leaf = certify("Leaf", ROOT, usages=usages)  # type: ignore[arg-type]
    assert problem(leaf) == "its certificate is not for signing"


def test_bytes_that_are_no_certificate_are_refused() -> None:
    """A bundle holds whatever its maker put there."""
    with pytest.raises(FormatError):
        certificates.signer((b"\x30\x00",), ROOT.certificate, at=JUNE)
    with pytest.raises(FormatError, match="holds 2 certificates, expected one"):
        certificates.read((ROOT.pem + ROOT.pem).decode(), name="file")
    with pytest.raises(FormatError, match="is not a certificate in PEM"):
        certificates.read("nonsense", name="file")


def test_keys_and_authorities_are_read_from_what_people_have() -> None:
    """PEM of others, the files of airlift's own keys, certificates."""
    models = key("models", "ecdsa-sha2-nistp384")
    found = attesting.trusted(pem(models), name="acme")
    assert found == attesting.signatory(models.public).__class__(
        name="acme",
        scheme="ecdsa-sha2-nistp384",
        key_id=models.public.key_id,
        public=models.public.public,
    )
    from airlift.trust import public  # noqa: PLC0415 - beside its one use

    own = attesting.trusted(public.encode(models.public), name="acme")
    assert own == found
    authority = attesting.trusted(ROOT.pem, name="acme")
    assert (authority.scheme, authority.public) == ("x509", ROOT.pem.decode())
    assert authority.key_id == certificates.fingerprint(ROOT.certificate)


@pytest.mark.parametrize(
    ("data", "name", "told"),
    [
        (b"nonsense", "acme", "`acme` is no public key in PEM, and no certificate"),
        (
            public_pem(ec.generate_private_key(ec.SECP521R1())),
            "acme",
            "`acme` is a key for ecdsa-sha2-nistp521",
        ),
        (ROOT.pem, "a\x1bb", "the name `a\\x1bb` of a signer has characters"),
    ],
)
def test_what_is_neither_is_refused(data: bytes, name: str, told: str) -> None:
    """A wrong file is found before anything is fetched."""
    with pytest.raises(RequestError) as caught:
        attesting.trusted(data, name=name)
    assert str(caught.value).startswith(told)
