"""A report says the same to people and to programs."""

import json
from dataclasses import replace
from pathlib import Path

from backend.selfcheck.report import MOST_SHOWN, Report, as_data, as_lines
from backend.selfcheck.rules import Rule, Violation

CLEAN = Report(
    seed=7,
    kills=3,
    lasted_s=12.4,
    strikes={"service": 2, "everything": 1, "pause": 1},
    moments={"commit": 3},
    killed={"ExecutionManager": 2},
    runs={"chain": {"COMPLETED": 4, "TERMINATED": 1}, "text": {"COMPLETED": 2}},
    nodes=40,
    calls={"keyed": (12, 2)},
    recoveries_s=[0.1, 0.5, 2.0],
    slowest_run="r",
    events=(100, 3),
    unanswered=1,
    refused={"HTTP 409 POST /review/action": 2},
    violations=[],
)
LOST = Violation(rule=Rule.LOST, run="r", detail="it is not in the database")


def test_a_clean_report_says_what_was_done_and_that_all_holds() -> None:
    text = "\n".join(as_lines(CLEAN))

    assert "seed        7" in text
    assert "3 in 12 s: service 2, everything 1, pause 1" in text
    assert "7 (COMPLETED 6, TERMINATED 1), 40 node executions" in text
    assert "keyed: 12 arrived, 2 of them again" in text
    assert "median 0.5 s, slowest 2.0 s (run r)" in text
    assert "1 without an answer, refused: HTTP 409 POST /review/action 2" in text
    assert text.endswith(f"All {len(Rule)} rules hold.")


def test_a_violation_names_the_rule_the_run_and_where_all_of_it_lies() -> None:
    report = replace(CLEAN, violations=[LOST], kept=Path("kept"))

    lines = list(as_lines(report))

    assert f"VIOLATED    {Rule.LOST.value}" in lines
    assert "            run r: it is not in the database" in lines
    assert "kept        kept" in lines
    assert lines[-1] == f"1 of {len(Rule)} rules are violated."


def test_people_are_shown_the_first_violations_and_programs_all() -> None:
    report = replace(CLEAN, violations=[LOST] * 25)

    shown = [line for line in as_lines(report) if line.endswith(LOST.detail)]

    assert len(shown) == MOST_SHOWN
    assert "            … and 15 more." in list(as_lines(report))
    assert len(as_data(report)["violations"]) == 25


def test_data_is_json_and_says_whether_it_is_clean() -> None:
    clean = json.loads(json.dumps(as_data(CLEAN)))
    broken = json.loads(json.dumps(as_data(replace(CLEAN, violations=[LOST], kept=Path("k")))))

    assert (clean["ok"], clean["seed"], clean["kept"]) == (True, 7, None)
    assert clean["recovery_seconds"] == {
        "count": 3,
        "median": 0.5,
        "slowest": 2.0,
        "slowest_run": "r",
    }
    assert clean["calls"] == {"keyed": {"arrived": 12, "repeated": 2}}
    assert (broken["ok"], broken["kept"]) == (False, "k")
    assert broken["violations"] == [
        {"rule": "LOST", "says": Rule.LOST.value, "run": "r", "detail": LOST.detail}
    ]


def test_a_check_in_which_nothing_was_interrupted_has_no_times() -> None:
    quiet = replace(CLEAN, recoveries_s=[], unanswered=0, refused={})

    lines = list(as_lines(quiet))

    assert not [line for line in lines if line.startswith(("recovery", "requests"))]
    assert as_data(quiet)["recovery_seconds"]["slowest"] == 0.0
