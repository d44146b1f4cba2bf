"""Ways across an air gap that operators have without airlift, as shell commands.

A way makes something to carry of the folder ``$SOURCE``, in ``$THERE``; the other side
ends with synced files in ``$OUT``, whose SHA-256 were compared with the sums in the file
``$SUMS``: what airlift does, as far as the tool can. ``$STATE`` is the tool's own, and
does not travel. A patch is a way whose other side
holds the old version already: the folder ``$BASE``, in it the one file ``$OLD``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from peers import Peer, environment, program

SUMS = "(cd $SOURCE && find . -type f | sort | xargs sha256sum) > $SUMS"
"""How the sums are made."""

SHA256SUM = "cd $OUT && sha256sum --quiet -c $SUMS && sync -f ."
OPENSSL = (
    "cd $OUT && find . -type f | sort | xargs openssl dgst -sha256 -r"
    " | sed 's/ [*]/  /' | cmp - $SUMS && sync -f ."
)


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way.

    Attributes:
        tools: What it needs, with versions.
        make: How what travels is made: the row's title and the commands.
        takes: How it is taken in: titles and commands, more than one way to check.
    """

    tools: tuple[Peer, ...]
    make: tuple[str, str]
    takes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A way for updates.

    Attributes:
        name: As tables have it.
        tools: What it needs, with versions.
        base: Brings the old version into ``$THERE``, once.
        make: Adds to ``$THERE`` what has to be carried; `timeout` may end it.
        take: Makes the new version of it in ``$OUT``.
    """

    name: str
    tools: tuple[Peer, ...]
    base: str = ":"
    make: str
    take: str


BORG = (
    "export BORG_BASE_DIR=$STATE BORG_REPO=$THERE/repo"
    " BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes && "
)
RESTIC = "export RESTIC_PASSWORD=bench RESTIC_REPOSITORY=$THERE/repo && "
SYNC = " && sync -f $THERE"
LIMIT_S = 20
"""Seconds that a patch may take to make; slower tools would take all day."""


def ways() -> Iterator[Way]:
    """Yield the ways whose tools are here."""
    zstd, openssl = program("zstd"), program("openssl")
    if zstd and openssl:
        tar = "zstd -q -dc $THERE/x.tar.zst | tar -C $OUT -xf - && "
        yield Way(
            tools=(zstd, openssl),
            make=(
                "tar, zstd -T0 -3, sha256sum",
                SUMS
                + "; tar -C $SOURCE -cf - . | zstd -q -T0 -3 -o $THERE/x.tar.zst && "
                "sync -f $THERE",
            ),
            takes={
                "zstd -d, tar x, sha256sum -c": tar + SHA256SUM,
                "zstd -d, tar x, openssl sha256": tar + OPENSSL,
                "cp, sync, openssl sha256": "cp -r $SOURCE/. $OUT && " + OPENSSL,
            },
        )
    borg, restic, lmz = program("borg"), program("restic"), environment("lmzip")
    if borg:
        yield Way(
            tools=(borg,),
            make=(
                "borg create -C zstd,3",
                BORG + "cd $SOURCE && borg init -e none"
                " && borg create -C zstd,3 ::a . && sync -f $THERE",
            ),
            takes={
                "borg extract, sha256sum -c": BORG
                + "cd $OUT && borg extract ::a && "
                + SHA256SUM
            },
        )
    if restic:
        yield Way(
            tools=(restic,),
            make=(
                "restic backup",
                RESTIC + "cd $SOURCE && restic init -q"
                " && restic backup -q --no-cache . && sync -f $THERE",
            ),
            takes={
                "restic restore, sha256sum -c": RESTIC
                + "restic restore -q --no-cache latest --target $OUT && "
                + SHA256SUM
            },
        )
    if lmz:
        tool = Path(lmz.path).parent / "lmz"
        yield Way(
            tools=(lmz,),
            make=(
                "lmz",
                f"{tool} compress -q -j 2 $SOURCE $THERE/x.lmz && sync -f $THERE",
            ),
            takes={
                "lmz, sha256sum -c": f"{tool} decompress -q -j 2 -f $THERE/x.lmz $OUT && "
                + SHA256SUM
            },
        )


def patches() -> Iterator[Patch]:
    """Yield the ways for updates whose tools are here."""
    borg, restic, zstd = program("borg"), program("restic"), program("zstd")
    xdelta = program("xdelta3")
    if borg:
        create = "borg create -C zstd,3 ::"
        yield Patch(
            name="borg",
            tools=(borg,),
            base=BORG + f"borg init -e none && cd $BASE && {create}old .",
            make=BORG + f"cd $SOURCE && {create}new ." + SYNC,
            take=BORG + "cd $OUT && borg extract ::new && " + SHA256SUM,
        )
    if restic:
        backup = "restic backup -q --no-cache ."
        yield Patch(
            name="restic",
            tools=(restic,),
            base=RESTIC + f"restic init -q && cd $BASE && {backup}",
            make=RESTIC + f"cd $SOURCE && {backup}" + SYNC,
            take=RESTIC
            + "restic restore -q --no-cache latest --target $OUT && "
            + SHA256SUM,
        )
    if zstd:
        yield _each(
            "zstd --patch-from",
            zstd,
            "zstd -q -3 --long=31 --patch-from=$OLD $SOURCE/$f -o $THERE/$f.x",
            "zstd -q -d --long=31 --patch-from=$OLD $THERE/$f.x -o $OUT/$f",
        )
    if xdelta:
        yield _each(
            "xdelta3",
            xdelta,
            # A window as large as the file: the default finds nothing that moved far.
            "xdelta3 -f -B 1073741824 -e -s $OLD $SOURCE/$f $THERE/$f.x",
            "xdelta3 -f -B 1073741824 -d -s $OLD $THERE/$f.x $OUT/$f",
        )
    if zstd:
        yield _each(
            "whole, zstd -3",
            zstd,
            "zstd -q -T0 -3 $SOURCE/$f -o $THERE/$f.x",
            "zstd -q -d $THERE/$f.x -o $OUT/$f",
        )


def _each(name: str, tool: Peer, make: str, take: str) -> Patch:
    """Return a patch whose commands treat one file, whose name is in ``$f``."""
    files = "for f in $(cd $SOURCE && ls); do "
    return Patch(
        name=name,
        tools=(tool,),
        make=f"{files}timeout {LIMIT_S} {make}; done" + SYNC,
        take=f"{files}{take}; done && " + SHA256SUM,
    )
