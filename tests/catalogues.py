"""Catalogues as a busy site's would be, from one seed."""

import hashlib
import random
from dataclasses import replace

from airlift.artifact import Json, Kind
from airlift.digest import Sha256, sha256
from airlift.format import catalogue, rule
from airlift.format.catalogue import Advisory, Catalogue, Feed
from airlift.format.catalogue_entries import (
    Item,
    KnownFile,
    Package,
    Seen,
    Version,
)
from airlift.outbound import rules

ISSUED = "2026-01-05T06:00:00Z"


def digest(text: str) -> Sha256:
    """Return a digest that cannot be compressed."""
    return sha256(text.encode())


def commit(text: str) -> str:
    """Return a git commit that cannot be compressed."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def item(name: str = "org/model", **changes: object) -> Item:
    """Return a small model that is known as of ``ISSUED``."""
    made = Item(
        kind=Kind.MODEL,
        name=name,
        asked=name,
        options={"revision": "main"},
        source="https://hub.example",
        as_of=ISSUED,
        revision=commit(name),
        modified="2025-12-31T10:00:00Z",
        refs=("main",),
        licence="apache-2.0",
        files=(
            KnownFile(path="config.json", size=700, git_oid=commit(name + "config")),
            KnownFile(path="model.safetensors", size=5_000, sha256=digest(name)),
        ),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def package(name: str = "demo", *versions: str, **changes: object) -> Package:
    """Return a package with a wheel for each of *versions*, newest first."""
    listed = versions or ("1.1", "1.0")
    made = Package(
        name=name,
        source="https://index.example/simple",
        as_of=ISSUED,
        newest=listed[0],
        versions=tuple(version(name, one) for one in listed),
        advised="2026-01-04T22:00:00Z",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def version(name: str, number: str, *, yanked: str | None = None) -> Version:
    """Return a version with one wheel."""
    path = f"{name.replace('-', '_')}-{number}-py3-none-any.whl"
    wheel = KnownFile(
        path=path, size=len(path) * 1_000, sha256=digest(path), yanked=yanked
    )
    return Version(
        version=number,
        uploaded="2025-11-20T08:00:00Z",
        requires_python=">=3.9",
        files=(wheel,),
    )


def of(*items: Item, **changes: object) -> Catalogue:
    """Return catalogue 1 with *items*."""
    made = Catalogue(
        sequence=1,
        previous=None,
        issued=ISSUED,
        next_expected="2026-01-12T06:00:00Z",
        valid_until="2026-03-06T06:00:00Z",
        items=items,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def after(one: Catalogue, issued: str, **changes: object) -> Catalogue:
    """Return the catalogue that follows *one*."""
    made = replace(
        one,
        sequence=one.sequence + 1,
        previous=catalogue.identify(catalogue.encode(one)),
        issued=issued,
        next_expected=issued.replace("2026-", "2027-"),
        valid_until=issued.replace("2026-", "2028-"),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def busy(seed: int = 7) -> Catalogue:
    """Return one of 25 models with 525 files, 200 packages, 180 advisories and rules.

    Names and texts are as long as real ones; digests are as random as real ones.
    """
    chance = random.Random(seed)
    models = sorted(
        (_busy_model(chance, n) for n in range(25)), key=lambda one: one.order
    )
    packages = sorted(
        (_busy_package(chance, n) for n in range(200)), key=lambda one: one.name
    )
    advisories = [_busy_advisory(chance, n) for n in range(180)]
    return of(
        *models,
        packages=tuple(packages),
        feed=Feed(
            as_of="2026-01-04T22:00:00Z",
            problem="",
            records=17_000,
            sha256=digest("feed"),
        ),
        advisories=tuple(
            sorted(
                [*advisories, *map(rule.as_advisory, rules.shipped())],
                key=lambda one: one.id,
            )
        ),
    )


_TEXT = """
attention buffer cache decoder embedding filter gradient header index kernel layer
memory network overflow parser query remote session token upload vector allows
attackers crafted before through versions denial service execution
"""
_WORDS = _TEXT.split()


def _phrase(chance: random.Random, count: int) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(count))


def _busy_model(chance: random.Random, number: int) -> Item:
    name = f"{chance.choice(_WORDS)}-labs/{_phrase(chance, 2).title()}-{number}B"
    name = name.replace(" ", "-")
    shards = chance.randint(1, 30)
    plain = ["config.json", "generation_config.json", "tokenizer.json", "README.md"]
    plain += ["special_tokens_map.json", "tokenizer_config.json", "LICENSE"]
    files = [
        KnownFile(
            path=path, size=chance.randint(100, 9_000_000), git_oid=commit(name + path)
        )
        for path in plain
    ]
    for shard in range(1, shards + 1):
        path = f"model-{shard:05}-of-{shards:05}.safetensors"
        size = chance.randint(4_900_000_000, 5_000_000_000)
        files.append(KnownFile(path=path, size=size, sha256=digest(name + path)))
    return item(
        name,
        files=tuple(sorted(files, key=lambda one: one.path)),
        facts={"library": "transformers", "task": "text-generation"},
        base_models=(f"{name}-base",),
        earlier=tuple(
            Seen(revision=commit(f"{name}{n}"), as_of=f"2025-1{n}-01T06:00:00Z")
            for n in (2, 1, 0)
        ),
    )


def _busy_package(chance: random.Random, number: int) -> Package:
    name = f"{chance.choice(_WORDS)}-{chance.choice(_WORDS)}-{number:03}"
    number_of = [f"{chance.randint(1, 9)}.{chance.randint(0, 40)}.{n}" for n in (2, 1)]
    return package(
        name,
        *number_of,
        versions=tuple(_busy_version(chance, name, one) for one in number_of),
    )


def _busy_version(chance: random.Random, name: str, number: str) -> Version:
    stem = f"{name.replace('-', '_')}-{number}"
    tails = ["py3-none-any"]
    if chance.random() < 0.4:
        tails = [
            f"cp3{minor}-cp3{minor}-manylinux_2_28_x86_64" for minor in (11, 12, 13)
        ]
    files = tuple(
        KnownFile(
            path=f"{stem}-{tail}.whl",
            size=chance.randint(20_000, 60_000_000),
            sha256=digest(stem + tail),
        )
        for tail in tails
    )
    uploaded = f"2025-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T08:15:30Z"
    return Version(
        version=number, uploaded=uploaded, requires_python=">=3.10", files=files
    )


def _busy_advisory(chance: random.Random, number: int) -> Advisory:
    def some() -> str:
        return "".join(chance.choice("23456789cfghjmpqrvwx") for _ in range(4))

    package_name = f"{chance.choice(_WORDS)}-{chance.choice(_WORDS)}-{number:03}"
    events: list[Json] = [
        {"introduced": "0"},
        {"fixed": f"{chance.randint(1, 9)}.{chance.randint(0, 40)}.1"},
    ]
    return Advisory(
        id=f"GHSA-{some()}-{some()}-{some()}",
        record={
            "aliases": [f"CVE-2025-{chance.randint(1_000, 60_000)}"],
            "summary": _phrase(chance, 14),
            "published": "2025-08-01T10:00:00Z",
            "modified": "2025-09-01T10:00:00Z",
            "severity": [
                {
                    "type": "CVSS_V3",
                    "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H",
                }
            ],
            "affected": [
                {
                    "package": package_name,
                    "ranges": [{"type": "ECOSYSTEM", "events": events}],
                    "versions": (),
                }
            ],
            "database_specific": {
                "severity": chance.choice(["CRITICAL", "HIGH", "MODERATE", "LOW"]),
                "kev": {"as_of": ISSUED},
                "epss": {
                    "as_of": ISSUED,
                    "score": f"{chance.random():.5f}",
                    "percentile": f"{chance.random():.5f}",
                },
            },
        },
        sha256=digest(f"advisory {number}"),
    )
