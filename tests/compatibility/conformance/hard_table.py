"""What the server is to have of the suite in ``hard``: line, name, status and fields of each test, written by hand."""

from compatibility.conformance.conforming import rows
from compatibility.real.verdicts import IS_OLD_PYTEST

QUOTE = "" if IS_OLD_PYTEST else "'"
"""How subtests show texts that they were given."""

OUTCOMES = rows(
    "suite_outcomes.py", "suite_outcomes",
    (24, "test_passes", "passed"),
    (28, "test_fails", "failure", "Failure"),
    (32, "test_raises", "failure", "Failure"),
    (36, "test_is_told_to_fail", "failure", "Failure"),
    (40, "test_leaves_by_system_exit", "failure", "Failure"),
    (44, "test_setup_fails", "error", "Error"),
    (48, "test_teardown_fails", "error", "Error"),
    (52, "test_fails_and_teardown_fails", "error", "Failure|Error"),
    (56, "test_setup_and_teardown_fail", "error", "Error|Error [teardown]"),
    (60, "test_is_skipped_and_teardown_fails", "error", "Skipped|Error"),
    (64, "test_is_marked_skip", "skipped", "Skipped"),
    (69, "test_is_marked_skipif", "skipped", "Skipped"),
    (74, "test_skips_itself", "skipped", "Skipped"),
    (78, "test_fixture_skips", "skipped", "Skipped"),
    (82, "test_xfails", "skipped", "Skipped"),
    (87, "test_xfails_without_reason", "skipped", "Skipped"),
    (92, "test_xfails_as_foreseen", "skipped", "Skipped"),
    (97, "test_xfails_otherwise", "failure", "Failure"),
    (102, "test_xfails_unrun", "skipped", "Skipped"),
    (107, "test_xfails_in_setup", "skipped", "Skipped"),
    (112, "test_xfails_inside", "skipped", "Skipped"),
    (116, "test_xpasses", "passed", "Unexpected pass"),
    (121, "test_xpasses_strictly", "failure", "Failure"),
)  # fmt: skip

TEXTS = rows(
    "suite_texts.py", "suite_texts",
    (16, "test_quiet_pass", "passed"),
    (20, "test_loud_failure", "failure", "Failure|Output|Errors|Log"),
    (27, "test_notes", "passed", "ticket|page|lines"),
    (33, "test_notes_and_fails", "failure", "Failure|ticket"),
)  # fmt: skip

NAMES = [
    *rows(
        "suite_names.py", "suite_names",
        (6, "test_ids[plain]", "passed"),
        (6, "test_ids[a[b]]", "passed"),
        (6, "test_ids[a][]", "passed"),
        (6, "test_ids[a::b]", "passed"),
        (6, "test_ids[a/b.py]", "passed"),
        (6, "test_ids[\u00fcn\u00efc\u00f6de-\u2713-\U0001f40d]", "passed"),
        (6, "test_ids[esc-#x1Bb]", "passed", "Node id"),
        (6, "test_ids[two words]", "passed"),
        (6, "test_ids[<&>\"']", "passed"),
        (6, "test_ids[" + "x" * 718 + " ... 83 characters cut", "passed", "Node id"),
        (6, "test_ids[dot.s@group]", "passed"),
        (23, "test_pairs[1-x]", "passed"),
        (23, "test_pairs[1-y]", "passed"),
        (23, "test_pairs[2-x]", "passed"),
        (23, "test_pairs[2-y]", "failure", "Failure"),
        (29, "test_hidden", "passed"),
    ),
    *rows(
        "suite_names.py", "suite_names.TestForm",
        (35, "test_method", "passed"),
        (38, "test_method_with[None]", "failure", "Failure"),
    ),
    *rows("suite_names.py", "suite_names.TestForm.TestInner", (43, "test_method", "skipped", "Skipped")),
    *rows(
        "suite_names.py", "suite_names.TestPages",
        (49, "test_opens[chrome]", "passed"),
        (49, "test_opens[fire/fox]", "failure", "Failure"),
        (52, "test_closes[chrome]", "passed"),
        (52, "test_closes[fire/fox]", "passed"),
    ),
    *rows("deep/down/suite_nested.py", "deep.down.suite_nested.TestDeep", (5, "test_deep", "passed")),
    *rows("deep/down/suite_nested.py", "deep.down.suite_nested", (9, "test_shallow", "failure", "Failure")),
    *rows("suite_twins.py", "suite_twins.suite_Pair", (5, "test_twin", "failure", "Failure")),
    *rows("suite_twins/suite_Pair.py", "suite_twins.suite_Pair", (4, "test_twin", "passed")),
    *rows("manual.rst", "manual.rst", (1, "manual.rst", "failure", "Failure")),
    *rows("deep/guide.rst", "deep.guide.rst", (1, "guide.rst", "passed")),
]  # fmt: skip

UNITTEST = [
    *rows(
        "suite_unittest.py", "suite_unittest.AccountCase",
        (7, "test_passes", "passed"),
        (10, "test_fails", "failure", "Failure"),
        (13, "test_is_marked_skip", "skipped", "Skipped"),
        (17, "test_skips_itself", "skipped", "Skipped"),
        (20, "test_fails_as_expected", "skipped", "Skipped"),
        (24, "test_passes_unexpectedly", "failure", "Failure"),
        (28, "test_subtests_pass", "passed", "Subtests=3: 3 passed|Steps"),
        (33, "test_subtest_fails", "failure", "Failure [count (number=1)]|Subtests=3: 2 passed, 1 failed|Steps|Output"),
        (
            39, "test_subtest_and_test_fail", "failure",
            f"Failure|Failure [part={QUOTE}first{QUOTE}]|Subtests=1: 1 failed|Steps|Output",
        ),
    ),
    *rows("suite_unittest.py", "suite_unittest.SetupCase", (50, "test_setup_fails", "failure", "Failure")),
    *rows("suite_unittest.py", "suite_unittest.TeardownCase", (58, "test_teardown_fails", "failure", "Failure")),
    *rows("suite_unittest.py", "suite_unittest.ClassSetupCase", (67, "test_class_setup_fails", "error", "Error")),
]  # fmt: skip

SUBTESTS = rows(
    "suite_subtests.py", "suite_subtests",
    (6, "test_all_pass", "passed", "Subtests=3: 3 passed|Steps"),
    (
        12, "test_two_fail", "failure",
        "Failure [part (number=1)]|Failure [part (number=3)]|Subtests=4: 2 passed, 2 failed|Steps|Output",
    ),
    (
        19, "test_subtest_and_test_fail", "failure",
        f"Failure|Failure [part={QUOTE}<b>{QUOTE}]|Subtests=1: 1 failed|Steps",
    ),
    (25, "test_subtest_is_skipped", "passed", "Subtests=2: 1 passed, 1 skipped|Steps"),
)  # fmt: skip

SCOPES = [
    *rows(
        "suite_scope.py", "suite_scope.TestService",
        (18, "test_first", "error", "Error"),
        (21, "test_second", "error", "Error"),
    ),
    *rows("suite_scope.py", "suite_scope", (25, "test_ends_the_connection", "error", "Error")),
]  # fmt: skip

RERUNS = rows(
    "suite_reruns.py", "suite_reruns",
    (28, "test_passes_at_second", "passed", "Attempts=2|Attempt 1|number"),
    (36, "test_passes_at_third", "passed", "Attempts=3|Attempt 1|Attempt 2"),
    (41, "test_fails_always", "failure", "Failure|Attempts=2|Attempt 1"),
    (46, "test_setup_fails_first", "passed", "Attempts=2|Attempt 1"),
    (51, "test_teardown_fails_first", "passed", "Attempts=2|Attempt 1"),
    (56, "test_skips_at_second", "skipped", "Skipped|Attempts=2|Attempt 1"),
    (63, "test_passes_at_once", "passed"),
)  # fmt: skip

MODULES = [
    *rows("suite_broken.py", "suite_broken", (0, "suite_broken", "error", "Error")),
    *rows("suite_raising.py", "suite_raising", (0, "suite_raising", "error", "Error")),
    *rows("suite_absent.py", "suite_absent", (0, "suite_absent", "skipped", "Skipped")),
]  # fmt: skip

TESTS = [*OUTCOMES, *TEXTS, *NAMES, *UNITTEST, *SUBTESTS, *SCOPES, *RERUNS]
"""All that pytest collects."""
