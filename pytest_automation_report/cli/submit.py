"""``automation-report submit``: deliver the results in JUnit XML files of any tool as those of pytest."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_automation_report.cli.context import (
    CONNECTION,
    NEW_RUN,
    SHARING,
    Exit,
    configured,
    echo_stderr,
    new_run,
    setting_options,
    with_exit_codes,
)
from pytest_automation_report.cli.send import SendOptions, delivered
from pytest_automation_report.errors import ResultFileError
from pytest_automation_report.junit.submission import Submission
from pytest_automation_report.settings.run import recording_options
from pytest_automation_report.settings.token import secrets_from
from pytest_automation_report.text.terminal import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.api.models import Token
    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.settings.settings import Settings

RESULT_SETTINGS = ("folder_prefix", "statuses", "redact", "redact_builtin", "spool")
"""Settings for reading results from files, and for the spool that holds them."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option(
    "--ignore-parse-error", is_flag=True, help="Report files that cannot be read, and send the results of the others."
)
@click.option("--allow-empty", is_flag=True, help="Exit with 0 where there is no result to send.")
@setting_options(*CONNECTION, *NEW_RUN, *SHARING, *RESULT_SETTINGS)
@with_exit_codes
def submit(files: tuple[str, ...], *, ignore_parse_error: bool, allow_empty: bool, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Send the results in JUnit XML files to a run, and print its id.

    FILES are names or patterns such as "reports/**/*.xml". A new run is created and completed; a run of --run-id or
    --run-key stays open. When the server is down the results stay in the spool until "automation-report send".
    """
    configuration, token = configured(options)
    paths = list(paths_of(files))
    submission = Submission(configuration.spool, rules_of(configuration, token))
    try:
        fill(submission, paths, is_lenient=ignore_parse_error)
    except BaseException:
        submission.discard()
        raise
    if not submission.results:
        submission.discard()
        echo_stderr(f"no results in {submission.files} of {quantity(len(paths), 'file')}: nothing was sent")
        return Exit.DONE if allow_empty else Exit.USAGE
    run, sharing = new_run(configuration, submission.id)
    folder, session, lock = submission.finished(
        configuration.endpoint,
        run,
        sharing=sharing,
        note=f"{quantity(submission.results, 'result')} submitted from {quantity(submission.files, 'file')}",
        joined_run=configuration.run_id,
    )
    try:
        return delivered(folder, session, configuration, token, SendOptions(prints_run=True))
    finally:
        os.close(lock)


def rules_of(configuration: Settings, token: Token) -> RecordingOptions:
    """Return the recording options for results of files."""
    return recording_options(
        configuration, "", secrets_from(os.environ, token, is_builtin=configuration.redact_builtin)
    )


def fill(submission: Submission, paths: Iterable[Path], *, is_lenient: bool) -> None:
    """Add the results of these files; raises `ResultFileError` for one that cannot be read, if not lenient."""
    for path in paths:
        count = _add_file(submission, path, is_lenient=is_lenient)
        if count == 0:
            echo_stderr(f"{path}: no results")


def _add_file(submission: Submission, path: Path, *, is_lenient: bool) -> int | None:
    """Add the results of a file; return their number, None for a file that cannot be read and was skipped."""
    try:
        return submission.add_file(path)
    except ResultFileError as error:
        if not is_lenient:
            remedy = "nothing was sent (--ignore-parse-error sends the other files)"
            raise ResultFileError(f"{error}; {remedy}") from error
        echo_stderr(f"passed over: {error}")
        return None


def matches(pattern: str) -> list[Path]:
    """Return the paths that match a name or pattern, without folders."""
    names = [pattern] if Path(pattern).exists() else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - pathlib takes no absolute pattern
    return [Path(name) for name in names if not Path(name).is_dir()]


def paths_of(patterns: Iterable[str]) -> Iterator[Path]:
    """Yield the files that match these names and patterns, each once; raises `ResultFileError` for one without any."""
    seen: set[str] = set()
    for pattern in patterns:
        paths = matches(pattern)
        if not paths and Path(pattern).is_dir():
            raise ResultFileError(f"{pattern}: is a folder: name its files, as in {pattern.rstrip('/')}/**/*.xml")
        if not paths:
            raise ResultFileError(f"{pattern}: no such file, and no match: quote patterns, as in 'reports/**/*.xml'")
        for path in paths:
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                yield path
