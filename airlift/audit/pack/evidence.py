"""The evidence pack: every form of an audit, what it rests on, and the site's signature."""

import base64
from collections.abc import Iterator
from importlib import resources
from typing import Final

from airlift.artifact import Json
from airlift.audit import subjects
from airlift.audit.pack import boms, html, sarif
from airlift.audit.pack.made import Made
from airlift.audit.site import Site
from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.format import canonical, checkpoint, pack
from airlift.registry.logbook import Logbook
from airlift.trust import public, site_key
from airlift.trust.public import PublicKey
from airlift.trust.site_key import Purpose, SiteKey

REPORT: Final = "report.json"
LOG: Final = "log-slice.jsonl"
CHECKPOINT: Final = "log-checkpoint"
KEYS: Final = "keys.json"
EVENTS: Final = 1000
"""Newest events that a pack carries with their proofs, some 1 kB each; `airlift log
export` writes all."""
_KEYS_FORMAT: Final = "airlift/evidence-keys/1"
_WAIVERS_FORMAT: Final = "airlift/evidence-waivers/1"


def contents(
    made: Made, key: PublicKey, *, bom: str | None = boms.CYCLONEDX[0]
) -> dict[str, bytes]:
    """Return the files of the pack by name, all but digests and signature.

    Args:
        made: The audit.
        key: The key that is to sign.
        bom: Version of CycloneDX; None for no bills of material, which need an extra.

    Raises:
        RequestError: The extra is not installed, or no checkpoint was signed.
        RegistryError, StoreError: The site cannot be read.
    """
    found = {
        REPORT: made.encoded,
        "report.html": html.encode(made, key),
        "findings.sarif": sarif.encode(made),
        "inventory.jsonl": b"".join(inventory(made.site)),
        LOG: b"".join(log_slice(made.site)),
        CHECKPOINT: Logbook(made.site.home).newest().note,
        KEYS: _line(keys(made, key)),
        "waivers.json": _line(waivers(made.site)),
    }
    if bom:
        found["bom.cdx.json"] = boms.cyclonedx(made, bom)
        found["bom.spdx3.json"] = boms.spdx3(made)
    if made.site.catalogues:
        newest = made.site.catalogues[0]
        found["catalogue.manifest"] = made.site.upstream.file(newest)
    if made.site.trust.policy:
        found["policy.json"] = made.site.trust.policy
    found["CHECK.txt"] = _how(made, key, [*found, "CHECK.txt"])
    return found


def seal(made: Made, key: SiteKey, *, bom: str | None = boms.CYCLONEDX[0]) -> bytes:
    """Return the bytes of the pack, its digests signed by *key*.

    Args:
        made: The audit.
        key: The site's own.
        bom: As ``contents`` has it.

    Raises:
        RequestError: *key* is another site's, or as ``contents``.
    """
    if key.site != made.site.trust.site:
        problem = f"the key is of site `{key.site}`, not `{made.site.trust.site}`"
        raise RequestError(problem, hint="a site signs for itself only")
    files = contents(made, key.public, bom=bom)
    listed = pack.list_digests(files)
    files[pack.DIGESTS] = listed
    files[pack.SIGNATURE] = key.sign(Purpose.EVIDENCE, listed)
    return pack.encode(made.name, files)


def _line(told: Json) -> bytes:
    return canonical.encode(told) + b"\n"


def inventory(site: Site) -> Iterator[bytes]:
    """Yield a line for each release that is held, then one for each of its files."""
    for held in site.releases:
        about = subjects.release(held)
        yield _line(
            {
                "type": "release",
                "id": held.id,
                "kind": held.release.kind.value,
                "name": held.release.name,
                "revision": held.release.revision,
                "purl": about.purl,
                "state": "denied" if held.denied else held.state.value,
                "licence": held.release.licence,
                "base_models": held.release.base_models,
                "bytes": held.size,
                "delivery": held.sequence,
                "imported": held.imported,
            }
        )
        for file in site.files(held):
            look = site.known.get(file.sha256)
            yield _line(
                {
                    "type": "file",
                    "release": held.id,
                    "path": file.path,
                    "bytes": file.size,
                    "sha256": file.sha256,
                    "format": file.format,
                    "class": file.content_class.value,
                    "last_hashed": look.since if look and not look.is_bad else "",
                }
            )


def log_slice(site: Site) -> Iterator[bytes]:
    """Yield the newest events that a checkpoint covers, each with its Merkle proof.

    ``entry`` is the very text that is hashed: RFC 6962, a leaf of its UTF-8.
    """
    events = site.events()
    upto = events[-1].number if events else 0
    for number, entry, proof in Logbook(site.home).proven(EVENTS, upto):
        hashes: list[Json] = [base64.b64encode(one).decode() for one in proof]
        told: Json = {"number": number, "entry": entry.decode(), "proof": hashes}
        yield _line(told)


def keys(made: Made, key: PublicKey) -> Json:
    """Return the site's own key, and every key that counts or counted, by role."""
    raw = bytes.fromhex(key.public)
    return {
        "format": _KEYS_FORMAT,
        "site": made.site.trust.site,
        "signer": public.table(key),
        "verifier_key": checkpoint.verifier_key(key.name, raw),
        "accepted_root_sha256": sha256(made.site.trust.anchor),
        "keys": [dict(one) for one in made.rows("keys")],
    }


def waivers(site: Site) -> Json:
    """Return every waiver that was ever given or begun, with who signed it when."""
    given: list[Json] = [
        {
            "finding": one.terms.finding,
            "reason": one.terms.reason,
            "until": one.terms.until,
            "by": one.by,
            "since": one.since,
            "revoked": bool(one.revoked),
            "counts": bool(one.since) and not one.revoked,
        }
        for one in site.accepted
    ]
    return {"format": _WAIVERS_FORMAT, "waivers": given}


def _how(made: Made, key: PublicKey, names: list[str]) -> bytes:
    """Return ``CHECK.txt``: how to check the pack, with airlift and without."""
    here = resources.files("airlift.audit.pack") / "templates" / "CHECK.txt"
    text = here.read_text("utf-8")
    listed = "\n".join(f"  {name}" for name in sorted(names))
    values = {
        "SITE": made.site.trust.site,
        "RUN": made.run_id,
        "TIME": made.time,
        "NAME": made.name,
        "FINGERPRINT": str(key.key_id),
        "HEX": key.public,
        "PEM": site_key.pem(key).rstrip("\n"),
        "FILES": listed,
        "EVENTS": str(EVENTS),
    }
    for word, value in values.items():
        text = text.replace(f"@{word}@", value)
    return text.encode()
