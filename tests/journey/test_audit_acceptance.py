"""What an audit has to do before it is accepted: each item, and the tests that show it.

Items that no other file shows are shown here.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from audited import World, model, wheels
from commands import Shell
from faults import table

ITEMS: Final = {
    "no catalogue: unknown, never well": (
        "journey/test_audit_acceptance.py::test_without_a_catalogue_nothing_is_well",
        "unit/audit/test_freshness.py::test_no_catalogue_is_unknown",
        "unit/audit/test_vulns.py::test_no_catalogue_is_unknown",
    ),
    "no advisories for a package that is held: unknown": (
        "unit/audit/test_vulns.py::test_a_package_nobody_looked_through_is_unknown",
    ),
    "an older catalogue is refused, and that is in the log": (
        "unit/trust/test_catalogue.py::test_a_site_only_goes_forward",
        "unit/registry/test_upstream.py::test_what_is_refused_is_in_the_log",
    ),
    "the same number with other bytes is refused": (
        "unit/trust/test_catalogue.py::test_a_site_only_goes_forward",
        "unit/registry/test_upstream.py::test_what_is_refused_is_in_the_log",
    ),
    "a clock set back a year is a finding, and makes nothing young": (
        "unit/audit/test_freshness.py::test_a_clock_that_was_set_back_is_a_finding",
    ),
    "one flipped byte in a served file: exit code 4, and the file named": (
        (
            "unit/cli/test_audit_verify.py"
            "::test_one_flipped_byte_ends_with_code_4_and_names_the_file"
        ),
    ),
    "every hostile pickle is at least a finding": (
        "unit/audit/test_pickles.py::test_no_hostile_pickle_goes_unnoticed",
    ),
    "a revision of the template alone is shown as its lines": (
        (
            "unit/audit/test_diff.py"
            "::test_a_revision_of_the_template_alone_shows_its_lines"
        ),
    ),
    "a yanked wheel and a quarantined project are found": (
        "unit/audit/test_outdated.py::test_a_yanked_wheel_is_a_finding",
        "unit/audit/test_outdated.py::test_a_quarantined_project_is_critical",
    ),
    "pip-audit, asking this site, finds what the audit finds": (
        "namespace/test_pip_audit.py::test_pip_audit_finds_what_the_audit_finds",
    ),
    "a request read from its picture is the same bytes": (
        "unit/cli/test_qr.py::test_a_request_comes_back_from_a_picture_byte_for_byte",
    ),
    "a lost medium is healed by the next": (
        (
            "journey/test_receipts.py"
            "::test_without_an_answer_a_delivery_on_the_anchor_heals_the_one_before"
        ),
    ),
    "both sides say one state code after each delivery": (
        "journey/test_year.py::test_both_sides_say_one_code_after_each_delivery_taken",
    ),
    "the same site and time give the same bytes": (
        "unit/audit/test_report.py::test_the_same_site_and_time_give_the_same_bytes",
        "unit/audit/test_evidence.py::test_the_same_site_and_time_give_the_same_bytes",
    ),
    "a pack is checked where there is only the checker": (
        (
            "namespace/test_evidence.py"
            "::test_a_pack_made_without_a_network_is_checked_without_airlift"
        ),
    ),
    "the whole audit works where there is no network, and asks for none": (
        (
            "namespace/test_whole_side.py"
            "::test_no_command_of_the_isolated_side_makes_a_network_call"
        ),
    ),
    "a table in a pipe keeps names whole": (
        "unit/cli/test_audit.py::test_a_pipe_keeps_names_whole",
    ),
    "the summary fits a terminal of 80 by 24": (
        "unit/cli/test_audit.py::test_the_screen_fits_a_terminal_of_80_by_24",
    ),
    "CycloneDX 1.6 and 1.7 are valid, SPDX 3 reads back": (
        (
            "unit/audit/test_boms.py"
            "::test_cyclonedx_is_valid_and_a_field_that_is_not_its_own_is_found"
        ),
        "unit/audit/test_boms.py::test_spdx_reads_back_as_what_was_written",
    ),
    "the command starts without what it may never need": (
        "journey/test_audit_acceptance.py::test_the_command_line_loads_little",
        "house/test_air_gap.py::test_help_loads_nothing_heavy",
        "unit/audit/test_boms.py::test_the_command_imports_no_library_of_bills",
    ),
    "the fourteen questions, answered by one site": (
        "journey/test_fourteen.py::test_a_question_is_answered_as_was_written_before",
    ),
}
"""Each item by what it asks for: ``FILE::FUNCTION`` below ``tests/``."""
MODULES: Final = 200
"""Most modules that the command line may load before it knows what is asked for.

With Python 3.11 there are 147, 33 of them of a bare interpreter. One
library of schemas alone brings hundreds, and seconds.
"""


def test_each_item_names_tests_that_are_there() -> None:
    """A test that is renamed or deleted must not leave an item without one."""
    assert (
        table.missing(sorted({one for tests in ITEMS.values() for one in tests})) == []
    )


@pytest.mark.parametrize(
    "words",
    [
        *(["run"], ["freshness"], ["outdated"], ["withdrawn"], ["vulns"], ["cross"]),
        ["run", "--only", "vulns", "--fail-on", "none"],
    ],
    ids=" ".join,
)
def test_without_a_catalogue_nothing_is_well(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who knows nothing of upstream gets exit code 8, whatever counts as a failure."""
    world = World(tmp_path)
    world.bring(model(), wheels("demo-1.0-py3-none-any.whl"))
    done = Shell(world.home, capsys)("audit", *words)
    assert done.code == 8
    assert "no catalogue was ever imported: nothing is known of upstream" in done.out


def test_the_command_line_loads_little() -> None:
    """It is started for every question: what it loads, every start pays for."""
    program = "import sys, airlift.cli.main; print(len(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) <= MODULES
