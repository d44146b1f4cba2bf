"""The drills are run as people run them, so that the document's steps stay true."""

from pathlib import Path

import pytest

import drill_keys
from airlift.cli import main


@pytest.mark.parametrize("chosen", ["stolen", "lost"])
def test_a_drill_goes_as_it_should(
    chosen: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody should read the steps for the first time on the day a key is gone."""

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main.run(list(words))
        said = capsys.readouterr()
        return code, said.out + said.err

    steps: list[str] = []
    drill = drill_keys.Drill(tmp_path, run, steps.append)
    drill_keys.rehearse(chosen, drill)
    revoked = "cat" if chosen == "stolen" else "bob"
    assert any(f"trust revoke {revoked} " in step for step in steps)


def test_a_drill_says_which_step_went_wrong(tmp_path: Path) -> None:
    """A rehearsal that cannot fail rehearses nothing."""
    drill = drill_keys.Drill(tmp_path, lambda *_: (5, "no"), lambda _: None)
    with pytest.raises(drill_keys.DrillError) as caught:
        drill_keys.rehearse("lost", drill)
    assert str(caught.value) == "on ann: exit code 5, expected 0: no"
