"""The deny list as a second reader sees it (section 4.7)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from independent import trust
from independent.record import digest, need, number, parse, table, time
from independent.trust import Document, Past

TARGET = re.compile(r"deny/([1-9]\d{0,15})\.json", re.ASCII)


def check(
    files: Mapping[str, bytes], documents: Mapping[str, Document], past: Past
) -> Past:
    """Return *past* with the deny list among *files*, which may follow what it has."""
    targets = documents["targets"].signed
    now = brought(files, targets["targets"])
    follows(now, past.denials)
    check_keys(now, documents["root"].signed["keys"], targets["delegations"]["keys"])
    return replace(past, denials=now)


def read_denials(data: bytes) -> Mapping[str, Any]:
    """Return a deny list, its form checked."""
    fields = {"format": str, "version": int, "issued": str, "denied": list}
    value = table(parse(data, 8 << 20), fields)
    need(value["format"] == "airlift/deny/1", "an unknown deny list")
    number(value["version"], 1)
    time(value["issued"])
    order = []
    for one in value["denied"]:
        entry = table(one, dict.fromkeys(("what", "digest", "since", "why"), str))
        need(entry["what"] in {"file", "key", "release"}, "an unknown denial")
        digest(entry["digest"])
        time(entry["since"])
        need(1 <= len(entry["why"]) <= 200, "a reason of another length")
        need(entry["why"].isprintable(), "a reason that is no line")
        order.append((entry["what"], entry["digest"]))
    need(order and order == sorted(set(order)), "denials out of order")
    return value


def brought(files: Mapping[str, bytes], vouched: Mapping[str, Any]) -> bytes:
    """Return the deny list among *files*, of which those in *vouched* are right."""
    named = [one for one in vouched if TARGET.fullmatch(one)]
    need(len(named) <= 1, "two deny lists")
    if not named:
        return b""
    data = files[f"records/{named[0]}"]
    stated = f"deny/{read_denials(data)['version']}.json"
    need(stated == named[0], "a deny list of another name")
    return data


def follows(now: bytes, before: bytes) -> None:
    """Refuse a list that steps back, forks, leaps, is gone, or lacks an entry."""
    if not before or now == before:
        return
    need(now, "the deny list is gone", "trust")
    old, new = read_denials(before), read_denials(now)
    step = new["version"] - old["version"]
    need(1 <= step <= trust.JUMP, "a deny list that does not follow", "trust")
    kept = all(one in new["denied"] for one in old["denied"])
    need(kept, "a deny list that lacks an entry", "trust")


def check_keys(now: bytes, *signed: Mapping[str, Any]) -> None:
    """Refuse documents that list a denied key: the newest root, and targets."""
    denied = read_denials(now)["denied"] if now else []
    gone = {one["digest"] for one in denied if one["what"] == "key"}
    listed = {key_id for one in signed for key_id in one}
    need(not gone & listed, "a denied key has a say", "trust")
