"""Draws docs/charts/*.svg from the figures that benches wrote as JSON.

    python scripts/charts.py [FIGURES] [--out docs/charts]

A chart whose bench has left no figures is not touched. The same figures give the same
bytes: no dates, no random ids. Text is grey and the background clear, so that charts
read on light pages and on dark ones; airlift is always the blue one.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from corpus import CACHE
from report import DOCUMENT

Rows = Sequence[Mapping[str, Any]]

GREY = "#7d7d7d"
COLOURS = ("#2f81f7", "#e0701a", "#2da44e", "#a475f9", "#e5534b", "#bf8700", "#1b9e9e")
"""At least 3 : 1 against white and against GitHub's dark page; airlift's is first."""

MARKERS = "osD^vPX"
STYLE: Any = {  # matplotlib types its keys, all three hundred
    "svg.hashsalt": "airlift",
    "font.size": 10,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}


def updates(figure: Figure, rows: Rows) -> None:
    """Draw the bytes that each update carries, a bar for each tool."""
    axes = figure.subplots()
    titles = list(dict.fromkeys(row["title"] for row in rows))
    tools = list(dict.fromkeys(row["tool"] for row in rows))
    height = 0.8 / len(tools)
    for index, tool in enumerate(tools):
        shares = {
            row["title"]: 100 * row["carried"] / row["raw"]
            for row in rows
            if row["tool"] == tool and row["carried"] is not None
        }
        places = {
            title: number + (index + 0.5) * height
            for number, title in enumerate(titles)
        }
        look: dict[str, Any] = {"color": COLOURS[index], "fontsize": 7}
        bars = axes.barh(
            [places[title] for title in shares],
            list(shares.values()),
            height,
            color=COLOURS[index],
            label=tool,
        )
        if index == 0:
            labels = [f"{share:.2f} %" for share in shares.values()]
            axes.bar_label(bars, labels, padding=3, **look)
        for title in titles:
            if title not in shares:
                axes.text(0.5, places[title], "too slow", va="center", **look)
    axes.set_yticks([place + 0.4 for place in range(len(titles))], titles)
    axes.invert_yaxis()
    axes.set_xlim(0, 102)
    axes.set_xlabel("bytes to carry, % of the new version (less is better)")
    axes.grid(axis="x")
    _legend(figure, axes, 3)


def growth(figure: Figure, rows: Rows) -> None:
    """Draw seconds and memory of a crossing over its bytes."""
    rows = [row for row in rows if row["series"] == "bytes"]
    seconds, memory = figure.subplots(1, 2)
    lines = list(dict.fromkeys((row["way"], row["step"]) for row in rows))
    ways = list(dict.fromkeys(way for way, _ in lines))
    steps = list(dict.fromkeys(step for _, step in lines))
    for way, step in lines:
        mine = [row for row in rows if (row["way"], row["step"]) == (way, step)]
        sizes = [row["raw"] / 1e9 for row in mine]
        look: dict[str, Any] = {
            "color": COLOURS[ways.index(way)],
            "marker": MARKERS[steps.index(step)],
            "linestyle": "-" if way == ways[0] else "--",
            "label": f"{way}: {step}",
        }
        seconds.plot(sizes, [row["wall"] for row in mine], **look)
        if way == ways[0]:
            memory.plot(sizes, [row["rss"] / 2**20 for row in mine], **look)
    for axes, title in ((seconds, "seconds"), (memory, "peak memory, MiB")):
        _logarithmic(axes.set_xscale, axes.xaxis)
        axes.set_xlabel("GB of model files")
        axes.set_title(title)
        axes.grid()
    _logarithmic(seconds.set_yscale, seconds.yaxis)
    memory.set_ylim(bottom=0)
    _legend(figure, seconds, 3)


def crossing(figure: Figure, rows: Rows) -> None:
    """Draw the rate of each way to make and to take in."""
    for axes, step in zip(figure.subplots(1, 2), ("make", "take in"), strict=True):
        mine = [row for row in rows if row["step"] == step][::-1]
        rates = [row["raw"] / row["wall"] / 1e6 for row in mine]
        own = [row["way"].startswith("airlift") for row in mine]
        bars = axes.barh(
            [row["way"] for row in mine],
            rates,
            color=[COLOURS[0] if one else GREY for one in own],
        )
        axes.bar_label(bars, [f"{rate:.0f}" for rate in rates], padding=3, fontsize=8)
        axes.set_title(step)
        axes.set_xlabel("MB of model files a second")
        axes.margins(x=0.12)


def registry(figure: Figure, rows: Rows) -> None:
    """Draw seconds over rows: recording them, and finding what is missing."""
    panels = {"record": "rows recorded", "missing": "blobs held, 100,000 looked for"}
    names = {"airlift": "airlift", "peer": "plain sqlite3"}
    both = figure.subplots(1, 2)
    for axes, (series, label) in zip(both, panels.items(), strict=True):
        for index, (who, name) in enumerate(names.items()):
            mine = [r for r in rows if (r["series"], r["who"]) == (series, who)]
            axes.plot(
                [row["count"] for row in mine],
                [row["wall"] for row in mine],
                color=COLOURS[index],
                marker=MARKERS[index],
                linestyle="--" if index else "-",
                label=name,
            )
        _logarithmic(axes.set_xscale, axes.xaxis)
        _logarithmic(axes.set_yscale, axes.yaxis)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel(label)
        axes.grid()
    both[0].set_ylabel("seconds")
    _legend(figure, both[0], 2)


def codec(figure: Figure, rows: Rows) -> None:
    """Draw size against speed of coders, both ways; right and low is better."""
    rows = [row for row in rows if row["file"] == "bf16" and row["share"] < 1]
    both = figure.subplots(1, 2, sharey=True)
    for axes, step in zip(both, ("encode", "decode"), strict=True):
        for index, row in enumerate(rows):
            axes.plot(
                row[f"{step}_cpu"] / 1e9,
                100 * row["share"],
                MARKERS[index % len(MARKERS)],
                color=COLOURS[index % len(COLOURS)],
                label=row["coder"],
                markersize=8,
                markerfacecolor="none",  # two coders may be in one place
                markeredgewidth=2,
            )
        _logarithmic(axes.set_xscale, axes.xaxis)
        axes.set_title(step)
        axes.set_xlabel("GB a CPU second")
        axes.margins(x=0.15, y=0.15)
        axes.grid()
    both[0].set_ylabel("size of bfloat16 weights, %")
    _legend(figure, both[0], 6)


def _legend(figure: Figure, axes: Axes, columns: int) -> None:
    """Say above all axes what the colours in *axes* stand for."""
    told = axes.get_legend_handles_labels()
    figure.legend(*told, loc="outside upper center", ncols=columns)


def _logarithmic(set_scale: Callable[[str], None], axis: Any) -> None:
    set_scale("log")
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


CHARTS: Mapping[
    str, tuple[str, Callable[[Figure, Rows], None], tuple[float, float]]
] = {
    "codec": ("bench_codec", codec, (9, 3.6)),
    "crossing": ("bench_crossing", crossing, (10, 3.2)),
    "updates": ("bench_updates", updates, (8, 8)),
    "growth": ("bench_growth", growth, (9, 4.2)),
    "registry": ("bench_registry", registry, (9, 3.4)),
}
"""Every chart by its file's name: its bench, what draws it, its size in inches."""


def draw(name: str, figures: Path, out: Path) -> bool:
    """Draw the chart *name* into the folder *out*; return whether it had figures."""
    bench, drawer, size = CHARTS[name]
    source = figures / f"{bench}.json"
    if not source.exists():
        return False
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        drawer(figure, json.loads(source.read_text())["rows"])
        out.mkdir(parents=True, exist_ok=True)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out / f"{name}.svg", transparent=True, metadata=nothing)
    return True


def main() -> None:
    """Draw every chart that has figures; name the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="?", type=Path, default=CACHE / "figures")
    parser.add_argument("--out", type=Path, default=DOCUMENT.parent / "charts")
    given = parser.parse_args()
    for name in CHARTS:
        drawn = draw(name, given.figures, given.out)
        print(f"{given.out / name}.svg" if drawn else f"{name}: no figures")


if __name__ == "__main__":
    main()
