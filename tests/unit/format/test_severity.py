"""How bad an advisory is: the worst word counts, and silence is no comfort."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advised import V5_3, V8_8, V9_8, scored
from airlift.artifact import Json
from airlift.format import severity
from airlift.format.severity import Rating

V2 = "AV:N/AC:L/Au:N/C:C/I:C/A:C"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
NONE = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"


@pytest.mark.parametrize(
    ("vector", "level", "score"),
    [
        (V9_8, "critical", "9.8"),
        (V8_8, "high", "8.8"),
        (V5_3, "medium", "5.3"),
        (NONE, "info", "0.0"),
        (V4, "critical", "9.3"),
        (V2, "high", "10.0"),
    ],
)
def test_a_vector_is_scored(vector: str, level: str, score: str) -> None:
    """By FIRST's formulas, of every version that records carry."""
    found = severity.rate({"severity": scored(vector)})
    assert found == Rating(level=level, score=score, vector=vector, by="vector")


def test_the_worst_of_several_vectors_counts() -> None:
    """Two scorers disagree, and the reader is warned."""
    told: list[Json] = [*scored(V5_3), *scored(V9_8), *scored(V8_8)]
    assert severity.rate({"severity": told}).score == "9.8"


@pytest.mark.parametrize(
    ("said", "level"),
    [("CRITICAL", "critical"), ("MODERATE", "medium"), ("LOW", "low")],
)
def test_without_a_vector_the_publishers_word_counts(said: str, level: str) -> None:
    """Most of GitHub's records have one."""
    own: dict[str, Json] = {"severity": said}
    found = severity.rate({"severity": scored("nonsense"), "database_specific": own})
    assert found == Rating(level=level, by="publisher")


def test_what_nobody_rated_counts_as_high() -> None:
    """A missing number must not let it pass below the bound."""
    assert severity.rate({}) == Rating(level="high")
    assert severity.rate({"severity": "x"}) == Rating(level="high")


def test_a_rating_by_somebody_comes_before_none() -> None:
    """One database left it out; the other did not."""
    stated = Rating(level="low", by="publisher")
    assert severity.worst((Rating(level="high"), stated)) == stated
    assert severity.worst((Rating(level="high"),)) == Rating(level="high")


@given(st.sampled_from(["CVSS_V2", "CVSS_V3", "CVSS_V4", "?"]), st.text(max_size=80))
def test_no_text_breaks_the_reader(kind: str, text: str) -> None:
    """Anybody can write an advisory."""
    found = severity.rate({"severity": [{"type": kind, "score": text}]})
    assert found.level in severity.LEVELS


@given(
    st.lists(st.sampled_from(["AV:N", "AC:L", "AT:N", "VC:H", "E:X", "MAV:", "", ":"])),
    st.sampled_from(["CVSS:3.0/", "CVSS:3.1/", "CVSS:4.0/", ""]),
)
def test_no_near_vector_breaks_the_reader(parts: list[str], head: str) -> None:
    """Nor one that looks right for a while."""
    text = head + "/".join(parts)
    for kind in ("CVSS_V2", "CVSS_V3", "CVSS_V4"):
        record: dict[str, Json] = {"severity": [{"type": kind, "score": text}]}
        assert severity.rate(record).level in severity.LEVELS
