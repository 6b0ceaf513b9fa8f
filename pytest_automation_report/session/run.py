"""Describe the run that a session creates, create its folder in the spool, and call users' hooks about it."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from contextlib import suppress
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from pytest_automation_report.api.models import SELECTION_FIELD, SERVE_PORT, SHARD_OPTION, Field, FieldType, NewRun
from pytest_automation_report.ci.detection import is_agent
from pytest_automation_report.ci.facts import BuildInfo
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.recording.collector import DESCRIBE_RUN, FINISHED, add_unknown_hooks
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.settings.resolver import spool_candidates
from pytest_automation_report.settings.run import RunSharing, configured_run, without_secrets
from pytest_automation_report.spool.folder import (
    SESSION_ID_FIELD,
    SessionFolder,
    SessionManifest,
    new_session_folder,
    remove_session,
)
from pytest_automation_report.summary.lines import RUN_PAGE, run_page
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import string
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.guards import Errors
    from pytest_automation_report.recording.hooks import ArtifactFile
    from pytest_automation_report.session.setup import SessionSetup
    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.summary.counts import SessionOutcome


def software_fields(config: pytest.Config) -> tuple[Field, ...]:
    """Return the versions of Python, pytest, its plugins, the system and the installed packages as fields."""
    implementation, python = platform.python_implementation(), platform.python_version()
    packages = [_name_and_version(dist) for _, dist in config.pluginmanager.list_plugin_distinfo()]
    kernel, mac = platform.uname(), platform.mac_ver()[0]
    distribution = f"macOS {mac}" if mac else ""
    with suppress(OSError):  # there is no such file, as on macOS
        distribution = distribution or platform.freedesktop_os_release().get("PRETTY_NAME", "")
    values = {
        "Python": python if implementation == "CPython" else f"{python} ({implementation})",
        "pytest": pytest.__version__,
        "Plugins": ", ".join(sorted(set(packages))),
        # Not `platform.platform`, which starts a process.
        "OS": ", ".join(filter(None, (distribution, f"{kernel.system} {kernel.release} {kernel.machine}"))),
    }
    installed = installed_packages(sys.path)
    return (
        *(Field(name, string(value)) for name, value in values.items() if value),
        *([Field("Packages", installed, FieldType.TEXT)] if installed else []),
    )


def installed_packages(path: Sequence[str]) -> str:
    """Return the installed packages of a search path, a name and a version in each line, by their names."""
    versions: dict[str, str] = {}
    # From the names of the folders with their metadata: reading the metadata of 100 packages would cost 20 ms.
    for folder in dict.fromkeys(path):
        if not folder.endswith(("site-packages", "dist-packages")):
            continue
        try:
            names = os.listdir(folder)  # noqa: PTH208 - a Path for each of them would cost more than all else
        except OSError:
            continue
        for file in names:
            if not file.endswith((".dist-info", ".egg-info")):
                continue
            name, dash, version = file.rpartition(".")[0].partition("-")
            if dash:  # of two folders the first counts: Python imports from it
                versions.setdefault(name.replace("_", "-").replace(".", "-").lower(), version.partition("-py")[0])
    return "\n".join(f"{name} {versions[name]}" for name in sorted(versions))


def _name_and_version(dist: Any) -> str:  # noqa: ANN401 - pytest wraps the distribution of importlib.metadata
    # The parser of e-mails, by which a distribution reads its headers, needs ten times as long.
    headers = (dist.read_text("METADATA") or "").partition("\n\n")[0].split("\n")
    fields = (line.partition(": ") for line in headers)
    found: dict[str, str] = {name: value for name, _, value in fields if name in {"Name", "Version"}}
    # Without them it is an egg-info, or something of another tool.
    values = found if len(found) == 2 else dist.metadata  # noqa: PLR2004 - name and version
    return f"{values['Name']} {values['Version']}"


def session_run(
    config: pytest.Config,
    settings: Settings,
    options: RecordingOptions,
    user_errors: Errors,
    facts: BuildInfo,
) -> tuple[NewRun, tuple[ArtifactFile, ...], RunSharing]:
    """Return the run to create for a session, the files that hooks add to it, and how jobs share it.

    A run that is joined gets no description, since it belongs to another session.
    """
    sharing, software = RunSharing(), tuple[Field, ...]()
    if settings.run_id is not None or settings.run_key or settings.shard is not None:
        from pytest_automation_report.settings.sharing import decide_sharing  # noqa: PLC0415 - few sessions share a run

        sharing = decide_sharing(settings, facts)
    # A run that jobs share has what they have in common: each may select a part, which make the whole suite together.
    if not sharing.is_shared:
        shard = "" if settings.shard is None else f"{SHARD_OPTION}={settings.shard}"
        selection = " ".join(filter(None, [shard, typed_selection(config)]))
        software = software_fields(config) if settings.facts != "none" else ()
        software += (Field(SELECTION_FIELD, string(selection)),) if selection else ()
    is_joined = settings.run_id is not None
    run = configured_run(settings, BuildInfo() if is_joined else facts, sharing, own=software)
    run = without_secrets(run, options)
    if is_joined or not getattr(config.hook, DESCRIBE_RUN).get_hookimpls():
        return run, (), sharing
    from pytest_automation_report.recording.hooks import described_run  # noqa: PLC0415 - only with hooks

    return *described_run(config, run, cleaner_for(options), user_errors), sharing


_VALUES: Final = (("-k", "keyword"), ("-m", "markexpr"))
_LISTS: Final = (("--deselect", "deselect"), ("--ignore", "ignore"), ("--ignore-glob", "ignore_glob"))
# To look at so many files of a project takes some 2 ms.
_MAX_ENTRIES: Final = 2000
_SWITCHES: Final = (
    ("lf", ("--lf", "--last-failed")),
    ("stepwise", ("--sw", "--stepwise")),
    ("automation_report_rerun_failed", ("--automation-report-rerun-failed",)),
)


def typed_selection(config: pytest.Config) -> str:
    """Return the options and paths that select some of the tests, as they are typed; empty if all tests are to run."""
    # Left out: with them each run has the same tests.
    usual = [*config.getini("addopts"), *shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))]
    words: list[str] = []
    for option, name in _VALUES:
        value = str(getattr(config.option, name, "") or "")
        words += [option, value] if value and not _has(usual, option, value) else []
    for option, name in _LISTS:
        values = (str(value) for value in getattr(config.option, name, None) or ())
        words += [f"{option}={_shown(value, config)}" for value in values if not _has(usual, option, value)]
    usual_names = {word.partition("=")[0] for word in usual}
    for name, spellings in _SWITCHES:
        words += spellings[:1] if getattr(config.option, name, None) and usual_names.isdisjoint(spellings) else ()
    return shlex.join([*words, *_paths(config, usual)])


def _has(words: Sequence[str], option: str, value: str) -> bool:
    """Whether words of a command line have an option with this value."""
    return f"{option}={value}" in words or f"{option}{value}" in words or (option, value) in pairwise(words)


def _paths(config: pytest.Config, usual: Sequence[str]) -> Iterable[str]:
    """Return the paths on the command line, unless pytest would collect the same without them."""
    has_typed = config.args_source == config.ArgsSource.ARGS
    # Without paths and testpaths: the folder that pytest was started in, which may be any folder of the project.
    is_below = config.args_source == config.ArgsSource.INVOCATION_DIR and (
        config.invocation_params.dir.is_relative_to(config.rootpath)
    )
    if not has_typed and not is_below:
        return ()
    # A usual word may be the value of an option, so a path that is typed, too, counts as typed.
    typed = set(map(str, config.invocation_params.args))
    paths = [_shown(path, config) for path in config.args if path in typed or path not in usual]
    testpaths = config.getini("testpaths")
    if set(paths) <= {*testpaths, ".", ""}:
        return ()
    return paths if testpaths or _is_part(paths, config) else ()


def _is_part(paths: Sequence[str], config: pytest.Config) -> bool:
    """Whether pytest would collect more without these paths; also True if looking for that would take long."""
    options, remaining = config.option, _MAX_ENTRIES
    patterns = [*config.getini("python_files"), *(getattr(options, "doctestglob", None) or ["test*.txt"])]
    patterns += ["*.py"] if getattr(options, "doctestmodules", False) else []
    ignored = config.getini("norecursedirs")
    typed = {str(config.rootpath / path) for path in paths}
    folders = [str(config.rootpath)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                remaining -= 1
                if entry.path in typed:
                    typed.remove(entry.path)
                elif not entry.is_dir():
                    if any(fnmatch(entry.name, pattern) for pattern in patterns):
                        return True
                elif not any(fnmatch(entry.name, pattern) for pattern in ignored):
                    # pytest passes over environments, too.
                    folders += [] if Path(entry.path, "pyvenv.cfg").exists() else [entry.path]
        if remaining < 0:
            return True
    return bool(typed)


def _shown(path: str, config: pytest.Config) -> str:
    """Return a path relative to the root folder, so that it is the same in each checkout; others as they are."""
    file, mark, name = path.partition("::")
    full = Path(os.path.normpath(config.invocation_params.dir / file))
    if not full.is_relative_to(config.rootpath):
        return path
    return f"{full.relative_to(config.rootpath).as_posix()}{mark}{name}"


def call_finished_hooks(
    config: pytest.Config, outcome: SessionOutcome, settings: Settings, user_errors: Errors
) -> None:
    """Call the hooks with the numbers of the session."""
    add_unknown_hooks(user_errors, config)
    hook = getattr(config.hook, FINISHED)
    if not hook.get_hookimpls():
        return
    from pytest_automation_report.recording.hooks import Summary  # noqa: PLC0415 - only with hooks
    from pytest_automation_report.recording.user_code import call_hook  # noqa: PLC0415 - only with hooks

    tally, run = outcome.tally, outcome.shown_run
    # The page of a run of the embedded store while `automation-report serve` shows it.
    served = "" if run is None else f"http://127.0.0.1:{SERVE_PORT}{RUN_PAGE.format(run=run)}"
    summary = Summary(
        run=run,
        url=run_page(settings, run) or served,
        counts=dict(tally.counts),
        delivered=tally.acknowledged,
        kept=tally.left,
        rejected=tally.rejected,
        held=tally.held,
        not_run=max(0, tally.not_run),
        is_whole=outcome.is_whole,
    )
    call_hook(user_errors, FINISHED, hook, config=config, summary=summary)


def has_digest(settings: Settings, environ: Mapping[str, str], *, is_alone: bool = False) -> bool:
    """Whether the summary shows what failed; with ``is_alone`` in place of pytest's own tracebacks and summary."""
    is_asked = settings.digest == "only" or (settings.digest == "true" and not is_alone)
    return is_asked or (settings.digest != "false" and is_agent(environ))


def create_session_folder(
    setup: SessionSetup, settings: Settings, run: NewRun, sharing: RunSharing
) -> tuple[Settings, SessionFolder, SessionManifest, str]:
    """Create the session's folder for the first settings whose spool can be used; `SpoolError` if no spool can.

    Last comes the reason why it is not in the spool of the settings as they are.
    """
    reasons: list[str] = []
    for candidate in spool_candidates(settings, setup.environ):
        try:
            return candidate, *_written(setup, candidate, run, sharing), "; ".join(reasons)
        except SpoolError as error:  # noqa: PERF203 - two candidates at most
            reasons.append(str(error))
    raise SpoolError("; ".join(reasons))


def _written(
    setup: SessionSetup, candidate: Settings, run: NewRun, sharing: RunSharing
) -> tuple[SessionFolder, SessionManifest]:
    folder = new_session_folder(candidate.spool, setup.name)
    # By it the sender recognises the run after an unknown response; a run that jobs share is recognised by its tag.
    own_fields = () if sharing.tag else (Field(SESSION_ID_FIELD, folder.id),)
    manifest = SessionManifest(
        id=folder.id,
        origin=candidate.endpoint.origin,
        project_id=candidate.endpoint.project_id,
        database=candidate.endpoint.database,
        run=replace(run, fields=(*own_fields, *run.fields)),
        joined_run=candidate.run_id,
        options=to_builtins(setup.options.for_sender()),
        pid=os.getpid(),
        pid_birth=system.process_start_time(os.getpid()),
        run_tag=sharing.tag,
        is_first=sharing.is_first,
        is_cut=candidate.shard is not None,
        is_followed=setup.sender is not None,
        thread_fields=sharing.thread_fields(folder.id),
        job=sharing.thread_job(folder.id),
        started_us=int(Unpatched.wall() * 1_000_000),
        ancestors=setup.facts.result().ancestors or (),
        report=candidate.html,
        has_digest=has_digest(candidate, setup.environ),
    )
    try:
        folder.write_session(manifest)
        return folder.publish(), manifest
    except OSError as error:
        remove_session(folder.path, is_own=True)
        raise SpoolError(f"{folder.path} cannot be written: {error.strerror or error}") from error
