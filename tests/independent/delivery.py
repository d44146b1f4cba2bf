"""What a delivery says, written from sections 3 and 4 of docs/format.md alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from independent import attestation, denying, trust
from independent.record import (
    check_path,
    check_paths,
    digest,
    digests,
    need,
    number,
    parse,
    sha256,
    site,
    table,
    time,
)
from independent.trust import JUMP, Document, Past

KINDS = ("model", "dataset", "gguf", "ollama", "oci", "wheels", "folder")
CLASSES = ("data", "code", "pickle", "template", "package")
_METADATA = re.compile(r"metadata/([1-9]\d*)\.([a-z0-9-]+)\.json", re.ASCII)
_POLICY = re.compile(r"policy/([a-z0-9-]{1,32})/[1-9]\d{0,15}\.json", re.ASCII)
_RELEASE = re.compile(r"records/releases/([0-9a-f]{64})\.json", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Site:
    """Who reads, what they accepted, and when.

    Attributes:
        name: The site's name.
        root: The root a person accepted.
        now: The clock.
    """

    name: str
    root: bytes
    now: str


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A delivery that is believed.

    Attributes:
        dispatch: Digest of the dispatch record.
        sequence: Its number.
        needs: Digests of the blobs that must be held.
        blobs: The packing list, taken apart.
        releases: The release documents by id.
        invalid: Digests of attestations that are not valid; their releases wait.
        past: What the site remembers once the delivery is taken.
    """

    dispatch: str
    sequence: int
    needs: frozenset[str]
    blobs: tuple[Mapping[str, Any], ...]
    releases: Mapping[str, Mapping[str, Any]]
    invalid: frozenset[str]
    past: Past


def _check_needs(
    record: Mapping[str, Any], blobs: tuple[Mapping[str, Any], ...]
) -> None:
    carried = {one["sha256"] for one in blobs}
    both = [one for one in record["needs"] if one["sha256"] in carried]
    need(not both, "a blob that is carried and needed")


def _invalid(
    files: Mapping[str, bytes], releases: Mapping[str, Mapping[str, Any]]
) -> frozenset[str]:
    return frozenset(
        one["sha256"]
        for release in releases.values()
        for one in release.get("attestations", [])
        if not attestation.is_valid(
            release, one, files[f"records/attestations/{one['sha256']}.json"]
        )
    )


def believe(files: Mapping[str, bytes], reader: Site, past: Past) -> Delivery:
    """Return the delivery that the signed *files* are, for this reader.

    Args:
        files: By name below ``airlift/``.
        reader: Whose it should be.
        past: What it remembers.

    Raises:
        RefusedError: It is not believed.
    """
    roots, documents = _metadata(files, reader.name)
    name, data = _dispatch(files, reader.name)
    sequence, found = int(name.split("/")[-1].removesuffix(".json")), sha256(data)
    repeat = past.deliveries.get(sequence) == found
    need(
        repeat or sequence >= max(past.deliveries, default=0),
        "older than what the site has",
        "trust",
    )
    own = trust.check_roots(roots, reader.root, past)
    assert own.keys
    _authority(documents, reader.name)
    target = {"hashes": {"sha256": found}, "length": len(data)}
    vouched = _targets(documents[f"site-{reader.name}"])
    expected = {name.removeprefix("records/"): target}
    need(vouched == expected, "a dispatch record nobody vouches for", "trust")
    record = read_dispatch(data)
    signed_for = (record["site"], record["sequence"])
    need(signed_for == (reader.name, sequence), "a record of another name", "trust")
    policy = _contents(files, record, documents["targets"], reader.name)
    if not repeat:
        _follows_policy(policy, past)
        past = denying.check(files, documents, past)
        trust.check_order(documents, past)
        for role, document in documents.items():
            good = document.signed["expires"] > max(reader.now, past.latest)
            need(good, f"{role} has expired", "trust")
        _follows(record, past)
    releases = {
        one: read_release(files[f"records/releases/{one}.json"])
        for one in record["releases"]
    }
    attestation.check_carried(files, releases)
    after = past if repeat else _remember(past, record, found, documents, roots)
    blobs = read_packing(files["records/packing.json"])
    _check_needs(record, blobs)
    return Delivery(
        dispatch=found,
        sequence=sequence,
        needs=frozenset(one["sha256"] for one in record["needs"]),
        blobs=blobs,
        releases=releases,
        invalid=_invalid(files, releases),
        past=after if repeat else _count(replace(after, policy=policy), releases),
    )


def _metadata(
    files: Mapping[str, bytes], name: str
) -> tuple[list[Document], dict[str, Document]]:
    """Return all roots in order, and the documents in force by role."""
    roots: dict[int, Document] = {}
    documents: dict[str, Document] = {}
    for path, data in files.items():
        if path == "metadata/timestamp.json":
            documents["timestamp"] = trust.read("timestamp", data)
        elif match := _METADATA.fullmatch(path):
            role = match[2]
            known = (*trust.TOP[:3], f"site-{name}")
            need(role in known, f"{path} is not for this site", "trust")
            need(role not in documents, f"a second file of {role}", "trust")
            document = trust.read(role, data)
            need(document.version == int(match[1]), f"{path}: its version", "trust")
            if role == "root":
                roots[int(match[1])] = document
            else:
                documents[role] = document
        else:
            need(path.startswith("records/"), f"unexpected {path}", "trust")
    chain = [roots[version] for version in sorted(roots)]
    need(sorted(roots) == list(range(1, len(roots) + 1)), "a root is missing")
    roles = {"timestamp", "snapshot", "targets", f"site-{name}"}
    need(chain and documents.keys() == roles, "metadata is missing")
    return chain, {"root": chain[-1], **documents}


def _dispatch(files: Mapping[str, bytes], name: str) -> tuple[str, bytes]:
    found = [path for path in files if path.startswith("records/dispatch/")]
    need(found, "no dispatch record")
    good = re.fullmatch(rf"records/dispatch/{name}/[1-9]\d{{0,15}}\.json", found[0])
    need(good and len(found) == 1, f"dispatch records {found}", "trust")
    return found[0], files[found[0]]


def _authority(documents: Mapping[str, Document], name: str) -> None:
    """Check who signed, and that the documents are of one piece."""
    top = trust.root_quorums(documents["root"])
    sites = trust.site_quorums(documents["targets"])
    catalogue = sites.pop("catalogue", None)
    for other in (*top.values(), *sites.values()):
        apart = catalogue is None or not other.keys.keys() & catalogue.keys.keys()
        need(apart, "a key of catalogues with another say", "trust")
    role = f"site-{name}"
    need(role in sites, f"no key has a say for {name}", "trust")
    for one, document in documents.items():
        if one != "root":
            trust.check_signatures(document, sites[role] if one == role else top[one])
    trust.check_editions(documents, sites)


def _targets(document: Document) -> Mapping[str, Any]:
    for target in document.signed["targets"].values():
        one = table(target, {"hashes": dict, "length": int})
        digest(table(one["hashes"], {"sha256": str})["sha256"])
        number(one["length"])
    return dict(document.signed["targets"])


def _contents(
    files: Mapping[str, bytes], record: Mapping[str, Any], signed: Document, name: str
) -> bytes:
    """Check packing list, releases and policy by digest, unread; return the policy."""
    vouched = _targets(signed)
    policies = [one for one in vouched if one.startswith("policy/")]
    sites = [_policy_site(one) for one in policies]
    roles = trust.site_quorums(signed)
    need(all(f"site-{one}" in roles for one in sites), "a policy for no site")
    need(len(sites) == len(set(sites)), "two policies of a site")
    for one, target in vouched.items():
        good = one == f"releases/{target['hashes']['sha256']}.json" or one in policies
        good = good or denying.TARGET.fullmatch(one) is not None
        need(good, f"{one} has another name than its digest")
    need("records/packing.json" in files, "no packing list")
    data = files["records/packing.json"]
    named = {"sha256": sha256(data), "size": len(data)}
    need(named == record["packing"], "another packing list", "trust")
    others = {
        name
        for name in files
        if name.startswith("records/")
        and not name.startswith("records/dispatch/")
        and not name.startswith("records/attestations/")
        and name != "records/packing.json"
    }
    wanted = {f"records/releases/{one}.json" for one in record["releases"]}
    own = [f"records/{one}" for one in policies if _policy_site(one) == name]
    wanted |= set(own)
    wanted |= {f"records/{one}" for one in vouched if denying.TARGET.fullmatch(one)}
    need(others == wanted, "other records than are named", "trust")
    for path in wanted:
        data = files[path]
        target = {"hashes": {"sha256": sha256(data)}, "length": len(data)}
        good = vouched.get(path.removeprefix("records/")) == target
        need(good, f"nobody vouches for {path}", "trust")
    if own:
        told = read_policy(files[own[0]])
        stated = f"records/policy/{told['site']}/{told['version']}.json"
        need(stated == own[0], "a policy of another name")
        return files[own[0]]
    return b""


def _policy_site(target: str) -> str:
    match = _POLICY.fullmatch(target)
    need(match, f"{target} is no target")
    assert match
    return match[1]


def _follows_policy(policy: bytes, past: Past) -> None:
    """Refuse a policy that steps back, forks, leaps or is gone (section 4.5)."""
    if not past.policy or past.policy == policy:
        return
    need(policy, "the policy is gone", "trust")
    step = read_policy(policy)["version"] - read_policy(past.policy)["version"]
    need(1 <= step <= trust.JUMP, "a policy that does not follow", "trust")


def read_policy(data: bytes) -> Mapping[str, Any]:
    """Return a site's policy, its form checked (section 4.5)."""
    value = parse(data, 256 << 10)
    stated = ("kinds", "classes", "licences", *_LIMITS)
    need(isinstance(value, dict) and set(stated) <= set(value), "a policy's keys")
    need(value.get("encrypted", True) is True, "`encrypted` is said by leaving it out")
    optional = (*stated, "encrypted")
    plain = {key: value[key] for key in value if key not in optional}
    fields = {
        "format": str,
        "site": str,
        "version": int,
        "issued": str,
        "approvers": list,
        "threshold": int,
        "departures": int,
    }
    table(plain, fields)
    need(plain["format"] == "airlift/policy/1", "an unknown policy")
    site(plain["site"])
    number(plain["version"], 1)
    time(plain["issued"])
    people = trust.approvers(plain["approvers"])
    number(plain["threshold"], 1, people)
    number(plain["departures"], 0, people)
    for key in _LIMITS:
        if value[key] is not None:
            number(value[key])
    for key in ("kinds", "classes", "licences"):
        _policy_list(key, value[key])
    return dict(value)


_LIMITS = ("release_bytes", "file_bytes", "age_days")
_KNOWN = {
    "kinds": {"model", "dataset", "gguf", "ollama", "oci", "wheels", "folder"},
    "classes": {"data", "code", "pickle", "template", "package"},
}


def _policy_list(key: str, found: Any) -> None:
    if found is None:
        return
    need(isinstance(found, list), f"{key} is no list")
    need(all(isinstance(one, str) for one in found), f"{key} has no words")
    need(found == sorted(set(found)), f"{key} is not sorted")
    if key in _KNOWN:
        need(set(found) <= _KNOWN[key], f"{key} has an unknown word")


def read_dispatch(data: bytes) -> Mapping[str, Any]:
    """Return a dispatch record, its form checked (section 4.2)."""
    fields = {
        "format": str,
        "site": str,
        "sequence": int,
        "earlier": list,
        "issued": str,
        "operator": str,
        "releases": list,
        "needs": list,
        "packing": dict,
    }
    found = parse(data, 16 << 20)
    also = [
        one for one in ("answer", "log") if isinstance(found, dict) and one in found
    ]
    record = table(found, fields | dict.fromkeys(also, dict))
    if "answer" in also:
        _read_answer(record["answer"])
    if "log" in also:
        seen = table(record["log"], {"size": int, "root": str})
        number(seen["size"], 1)
        digest(seen["root"])
    need(record["format"] == "airlift/dispatch/1", "another format")
    site(record["site"])
    time(record["issued"])
    digests(record["releases"])
    packing = table(record["packing"], {"sha256": str, "size": int})
    digest(packing["sha256"])
    number(packing["size"])
    last = number(record["sequence"], 1) - 1
    earlier = [
        table(one, {"sequence": int, "sha256": str}) for one in record["earlier"]
    ]
    for one in earlier:
        digest(one["sha256"])
    expected = list(range(last, max(0, last - 64), -1))
    need([one["sequence"] for one in earlier] == expected, "gaps in `earlier`")
    needs = [table(one, {"sha256": str, "sequence": int}) for one in record["needs"]]
    digests([one["sha256"] for one in needs])
    for one in needs:
        number(one["sequence"], 1, last)
    return record


def _read_answer(value: Any) -> None:
    """Check the form of an answer to a request (section 4.4)."""
    answer = table(value, {"number": int, "id": str, "lines": list})
    number(answer["number"], 1)
    digest(answer["id"])
    for one in answer["lines"]:
        line = table(one, {"outcome": str, "release": object, "why": str})
        need(line["outcome"] in ("sent", "held", "refused"), "an unknown outcome")
        refused = line["outcome"] == "refused"
        need(refused == (line["release"] is None), "a release that does not fit")
        need(refused == bool(line["why"]), "a reason that does not fit")
        if not refused:
            digest(line["release"])


def read_packing(data: bytes) -> tuple[Mapping[str, Any], ...]:
    """Return the blobs of a packing list, its form checked (section 4.3)."""
    top = table(parse(data, 256 << 20), {"format": str, "blobs": list})
    need(top["format"] == "airlift/packing/1", "another format")
    blobs = [
        table(one, {"sha256": str, "size": int, "parts": list}) for one in top["blobs"]
    ]
    for blob in blobs:
        digest(blob["sha256"])
        number(blob["size"])
        total = sum(_read_part(part) for part in blob["parts"])
        need(total == blob["size"], "parts that do not add up")
    names = [blob["sha256"] for blob in blobs]
    need(len(set(names)) == len(names), "a blob twice")
    return tuple(blobs)


def _read_part(value: Any) -> int:
    """Check a part; return its raw bytes."""
    part = table(value, {"sha256": str, "size": int, "raw": int, "head": object})
    digest(part["sha256"])
    raw, size = number(part["raw"], 1), number(part["size"], 0, 253 << 20)
    if part["head"] is None:
        need(raw == size <= 4 << 20, "a part without a head")
    else:
        head = table(part["head"], {"sha256": str, "size": int})
        digest(head["sha256"])
        number(head["size"], 1, 1 << 20)
    return raw


def read_release(data: bytes) -> Mapping[str, Any]:
    """Return a release document, its form checked (section 4.1)."""
    fields = {
        "format": str,
        "kind": str,
        "name": str,
        "revision": str,
        "counter": int,
        "refs": list,
        "upstream": dict,
        "licence": str,
        "base_models": list,
        "files": list,
    }
    found = parse(data, 64 << 20)
    if isinstance(found, dict) and "attestations" in found:
        attestation.check_listed(found["attestations"])
        fields["attestations"] = list
    release = table(found, fields)
    need(release["format"] == "airlift/release/1", "another format")
    need(release["kind"] in KINDS, "an unknown kind")
    name = release["name"]
    check_path(name)
    need(name.count("/") < 4 and not re.search(r"\s", name), "a release's name")
    number(release["counter"], 1)
    texts = [*release["refs"], *release["base_models"]]
    need(all(isinstance(one, str) for one in texts), "something that is no text")
    for one in release["files"]:
        _read_file(one)
    paths = [one["path"] for one in release["files"]]
    need(paths == sorted(set(paths)), "files out of order")
    check_paths(paths)
    return release


def _read_file(value: Any) -> None:
    fields = {
        "path": str,
        "size": int,
        "sha256": str,
        "git_oid": object,
        "format": str,
        "class": str,
        "facts": dict,
    }
    one = table(value, fields)
    check_path(one["path"])
    number(one["size"])
    digest(one["sha256"])
    need(isinstance(one["git_oid"], str | None), "a git object id that is no text")
    need(one["class"] in CLASSES, "an unknown class")


def _follows(record: Mapping[str, Any], past: Past) -> None:
    """Check the delivery against those before it (section 4.2)."""
    newest = max(past.deliveries, default=0)
    need(record["sequence"] > newest, "a forked history", "trust")
    leap = past.deliveries and record["sequence"] - newest > JUMP
    need(not leap, "a leap of the sequence", "trust")
    for one in record["earlier"]:
        known = past.deliveries.get(one["sequence"], one["sha256"])
        need(known == one["sha256"], "a forked history", "trust")


def _remember(
    past: Past,
    record: Mapping[str, Any],
    found: str,
    documents: Mapping[str, Document],
    roots: list[Document],
) -> Past:
    return replace(
        past,
        deliveries={**past.deliveries, record["sequence"]: found},
        latest=max(past.latest, record["issued"]),
        metadata={role: (one.version, one.data) for role, one in documents.items()},
        roots={root.version: root.data for root in roots},
    )


def _count(past: Past, releases: Mapping[str, Mapping[str, Any]]) -> Past:
    """Check and keep the counters of releases (section 4.1)."""
    counters = dict(past.counters)
    for found, one in sorted(releases.items(), key=lambda item: item[1]["counter"]):
        key, now = (one["kind"], one["name"]), one["counter"]
        least, head = past.counters.get(key, (0, ""))
        need(now >= least, "an older release than one held", "trust")
        last, head = counters.get(key, (0, ""))
        need(now != last or found == head, "two releases of one number", "trust")
        counters[key] = (now, found)
    return replace(past, counters=counters)
