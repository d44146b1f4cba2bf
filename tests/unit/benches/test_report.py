"""Tables and charts of benches are what was measured, and disturb nothing else."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest

from charts import CHARTS, draw
from report import DOCUMENT, options, put, report

BENCHES = sorted(
    path.stem for path in (DOCUMENT.parent.parent / "scripts").glob("bench_*.py")
)
COST = {"wall": 2.0, "cpu": 1.0, "rss": 1 << 26}
ROWS: dict[str, list[dict[str, Any]]] = {
    "bench_codec": [
        {
            "file": "bf16",
            "coder": coder,
            "share": 0.7,
            "encode_cpu": 8e8,
            "decode_cpu": 2e9,
        }
        for coder in ("airlift", "zstd -3")
    ],
    "bench_crossing": [
        {"step": step, "way": way, "raw": 10**9, **COST}
        for step in ("make", "take in")
        for way in ("airlift", "tar")
    ],
    "bench_registry": [
        {"series": series, "who": who, "count": count, "wall": 0.1 + count / 1e5}
        for series in ("record", "missing")
        for who in ("airlift", "peer")
        for count in (1000, 100_000)
    ],
    "bench_updates": [
        {"title": title, "tool": tool, "raw": 1000, "carried": carried}
        for title in ("edit", "tune")
        for tool, carried in (("airlift", 3), ("xdelta3", None))
    ],
    "bench_growth": [
        {"series": "bytes", "raw": raw, "files": 6, "way": way, "step": step, **COST}
        for raw in (10**8, 10**9)
        for way, step in (("airlift", "make"), ("airlift", "verify"), ("tar", "make"))
    ],
}


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_has_its_place_in_the_document(name: str) -> None:
    """Half an hour of measuring must not end in a table without a place."""
    assert DOCUMENT.read_text().count(f"<!-- {name} -->") == 2


def test_a_table_replaces_the_one_before_and_nothing_else(tmp_path: Path) -> None:
    """The text around it was written by people."""
    document = tmp_path / "page.md"
    document.write_text("a\n<!-- x -->\nold\n<!-- x -->\nb <!-- y -->\n")
    put("x", "new", document)
    put("x", "newer", document)
    assert document.read_text() == ("a\n<!-- x -->\nnewer\n<!-- x -->\nb <!-- y -->\n")


def test_a_table_without_a_place_is_refused(tmp_path: Path) -> None:
    """Written at a guess, it would swallow the rest of the page."""
    document = tmp_path / "page.md"
    document.write_text("a <!-- y -->\n")
    with pytest.raises(SystemExit) as caught:
        put("y", "new", document)
    assert str(caught.value) == f"{document} has 1 marks <!-- y -->, not 2"
    assert document.read_text() == "a <!-- y -->\n"


def test_figures_are_kept_for_charts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A chart can be drawn again without measuring again."""
    parser = ArgumentParser()
    options(parser)
    target = tmp_path / "figures" / "x.json"
    report("x", "table", [{"wall": 1.5}], parser.parse_args(["--json", str(target)]))
    assert capsys.readouterr().out == "table\n"
    kept = json.loads(target.read_text())
    assert (kept["bench"], kept["rows"]) == ("x", [{"wall": 1.5}])


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_the_same_bytes_every_time(name: str, tmp_path: Path) -> None:
    """A chart that changes by itself hides the one that changed."""
    bench = CHARTS[name][0]
    (tmp_path / f"{bench}.json").write_text(json.dumps({"rows": ROWS[bench]}))
    drawn = []
    for folder in ("a", "b"):
        assert draw(name, tmp_path, tmp_path / folder)
        drawn.append((tmp_path / folder / f"{name}.svg").read_bytes())
    assert drawn[0] == drawn[1]
    assert b"<dc:date>" not in drawn[0]


def test_a_chart_without_figures_is_left_alone(tmp_path: Path) -> None:
    """One bench that could not run must not wipe out its last chart."""
    assert not draw("updates", tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
