"""A one-way link on one machine: two network namespaces, and udpcast between them.

What the sender's side is sent is dropped where it comes in, before any program sees it:
dropped where it goes out, the receiver would be told and behave otherwise. What the
receiver's side is sent is lost at random, packet by packet, as nftables throws dice.

udpcast (Debian) carries one file a transfer with its own forward error correction, and
tells neither names nor sizes. Its receivers write in place under names of their own;
of a transfer that cannot be completed they leave what came.

Run as a program it hands one file on: ``python oneway_link.py STATE FILE``.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

_FROM, _TO = "10.77.0.1", "10.77.0.2"
_PROGRAMS = {"ip": "iproute2", "nft": "nftables", "udp-sender": "udpcast"}
_PORTS = tuple(range(9000, 9016, 2))
"""One receiver waits at each: one that got only a part waits for the rest a while."""
_UDP = "meta l4proto udp"
_CAME = f'{_UDP} counter name "came"'
_SILENCE_S = 3
"""Seconds without a packet after which a receiver ends."""


def reason() -> str:
    """Return why there can be no link here; empty if there can."""
    lacking = [name for name in _PROGRAMS if not shutil.which(name, path=_path())]
    if lacking:
        return f"needs {', '.join(_PROGRAMS[name] for name in lacking)}"
    if os.geteuid():
        return "needs root: network namespaces with nftables"
    tried = _run("ip", "netns", "add", f"airlift-try-{os.getpid()}", check=False)
    if tried.returncode:
        return f"needs network namespaces: {tried.stderr.strip()}"
    _run("ip", "netns", "del", f"airlift-try-{os.getpid()}")
    return ""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How a link behaves.

    Attributes:
        loss: Packets lost of 1,000, at random.
        fec: Redundancy of udpcast: interleave x redundant packets / packets.
        mbps: Megabits a second.
        lost: Files, by the order they are handed on in from 1, of which every packet
            is lost.
        cut: Files, likewise, of which everything after the first 3,000 kB is.
    """

    loss: int = 0
    fec: str = "8x8/128"
    mbps: int = 200
    lost: Sequence[int] = ()
    cut: Sequence[int] = ()


@dataclass
class Link:
    """Two namespaces and a wire.

    Attributes:
        folder: Where what arrives appears.
        quality: How it behaves.
        state: File for what the program that hands files on must know.
        prefix: How the names of what arrives begin.
        arrived: How many files something came of.
    """

    folder: Path
    quality: Quality
    state: Path
    prefix: str = "in"
    arrived: int = 0
    _receivers: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        """Make it, and let receivers wait."""
        self._end_namespaces()
        self.folder.mkdir(parents=True, exist_ok=True)
        for here, address in (("a", _FROM), ("b", _TO)):
            _run("ip", "netns", "add", self._name(here))
            self._in(here, "ip", "link", "set", "lo", "up")
            if here == "a":
                pair = ("type", "veth", "peer", "name", "wire-b")
                self._in("a", "ip", "link", "add", "wire-a", *pair)
            else:
                to = ("netns", self._name("b"))
                self._in("a", "ip", "link", "set", "wire-b", *to)
            self._in(here, *f"ip addr add {address}/24 brd + dev wire-{here}".split())
            self._in(here, "ip", "link", "set", f"wire-{here}", "up")
            self._in(here, *f"ip route add default dev wire-{here}".split())
        self._neighbours()
        _nft(self._name("a"), 'iifname "wire-a" drop')
        self.lose(self.quality.loss)
        note = {"namespace": self._name("a"), "other": self._name("b"), "count": 0}
        self.state.write_text(json.dumps({**note, **asdict(self.quality)}))
        for port in _PORTS:
            thread = threading.Thread(target=self._receive, args=(port,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        """Take it down."""
        self._over.set()
        with self._lock:
            for process in self._receivers:
                process.kill()
        for thread in self._threads:
            thread.join(10)
        self._end_namespaces()

    def hook(self) -> str:
        """Return the command that hands ``{file}`` on."""
        return f"{sys.executable} {Path(__file__)} {self.state} {{file}}"

    def lose(self, of_thousand: int) -> None:
        """Lose so many of 1,000 packets from now on."""
        lose(self._name("b"), of_thousand)

    def quiet(self) -> None:
        """Wait until every receiver has ended what it was receiving."""
        time.sleep(_SILENCE_S + 1)

    def heard(self) -> int:
        """Return how many packets reached a program of the sender's side."""
        shown = self._in("a", "cat", "/proc/net/snmp").stdout
        rows = [line.split() for line in shown.splitlines() if line.startswith("Udp:")]
        return int(dict(zip(*rows, strict=True))["InDatagrams"])

    def packets(self) -> tuple[int, int]:
        """Return how many packets came to the receiver's side, and how many were lost."""
        shown = self._in("b", "nft", "-j", "list", "ruleset").stdout
        counters = {
            one["counter"]["name"]: one["counter"]["packets"]
            for one in json.loads(shown)["nftables"]
            if "counter" in one
        }
        return counters["came"], counters["lost"]

    def _receive(self, port: int) -> None:
        """Receive at a port for ever: one file after the other."""
        number = 0
        while not self._over.is_set():
            number += 1
            path = self.folder / f"{self.prefix}-{port}-{number:04d}.dat"
            program = (
                *("udp-receiver", "--nokbd", "--portbase", str(port)),
                *("--interface", "wire-b", "--rcvbuf", "4m", "--file", str(path)),
                *("--start-timeout", "3600", "--receive-timeout", str(_SILENCE_S)),
            )
            with self._lock:
                if self._over.is_set():
                    return
                process = subprocess.Popen(
                    ["ip", "netns", "exec", self._name("b"), *program],
                    env={**os.environ, "PATH": _path()},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                self._receivers.append(process)
            process.wait()
            with self._lock:
                self._receivers.remove(process)
                self.arrived += path.exists()

    def _neighbours(self) -> None:
        """Say who is where: nobody can ask on a link that answers nothing."""
        for here, there, address in (("a", "b", _TO), ("b", "a", _FROM)):
            at = f"/sys/class/net/wire-{there}/address"
            card = self._in(there, "cat", at).stdout.strip()
            words = f"ip neigh replace {address} lladdr {card} dev wire-{here}"
            self._in(here, *words.split(), "nud", "permanent")

    def _name(self, here: str) -> str:
        return f"airlift-{os.getpid()}-{here}"

    def _in(self, here: str, *words: str) -> "subprocess.CompletedProcess[str]":
        return _run("ip", "netns", "exec", self._name(here), *words)

    def _end_namespaces(self) -> None:
        for here in ("a", "b"):
            _run("ip", "netns", "del", self._name(here), check=False)


def lose(namespace: str, of_thousand: int) -> None:
    """Lose so many of 1,000 packets that come into *namespace* from now on."""
    rules = [_CAME]
    if of_thousand:
        dice = f"numgen random mod 1000 < {of_thousand} " if of_thousand < 1000 else ""
        rules.append(f'{_UDP} {dice}counter name "lost" drop')
    _nft(namespace, *rules)


def _nft(namespace: str, *rules: str) -> None:
    text = (
        "add table inet oneway\n"
        "add counter inet oneway came\nadd counter inet oneway lost\n"
        "add chain inet oneway in { type filter hook input priority 0; }\n"
        "flush chain inet oneway in\n"
        + "".join(f"add rule inet oneway in {one}\n" for one in rules)
    )
    words = ("ip", "netns", "exec", namespace, "nft", "-f", "-")
    _run(*words, text=text)


def hand_on(state: Path, file: str) -> int:
    """Send *file*, as the link that *state* speaks of does; return udpcast's status."""
    told = json.loads(state.read_text())
    told["count"] += 1
    state.write_text(json.dumps(told))
    number = told["count"]
    program = (
        *("udp-sender", "--async", "--nokbd", "--interface", "wire-a"),
        *("--fec", told["fec"], "--max-bitrate", f"{told['mbps']}m"),
        # Says hello for a second: a receiver that is just starting hears one of them.
        *("--rexmit-hello-interval", "50", "--autostart", "10"),
        *("--portbase", str(_PORTS[number % len(_PORTS)]), "--file", file),
    )
    with _harm(number, told):
        done = subprocess.run(
            ["ip", "netns", "exec", told["namespace"], *program],
            env={**os.environ, "PATH": _path()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        print(done.stderr[-500:])
    return done.returncode


@contextlib.contextmanager
def _harm(number: int, told: dict[str, object]) -> Iterator[None]:
    """Lose a file, or all but its beginning, if this is its turn."""
    lost, cut, other = told["lost"], told["cut"], str(told["other"])
    assert isinstance(lost, list)
    assert isinstance(cut, list)
    if number not in (*lost, *cut):
        yield
        return
    if number in lost:
        lose(other, 1000)
    else:
        _nft(other, _CAME, f'{_UDP} quota over 3000 kbytes counter name "lost" drop')
    try:
        yield
    finally:
        loss = told["loss"]
        assert isinstance(loss, int)
        lose(other, loss)


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _run(
    *words: str, check: bool = True, text: str | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words,
        env={**os.environ, "PATH": _path()},
        input=text,
        capture_output=True,
        text=True,
        check=check,
    )


if __name__ == "__main__":
    sys.exit(hand_on(Path(sys.argv[1]), sys.argv[2]))
