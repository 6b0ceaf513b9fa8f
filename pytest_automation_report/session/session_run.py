"""Describe the run that a session creates: by the settings, the CI job, the versions of the software, users' hooks."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_automation_report.api.models import Field, FieldType, NewRun
from pytest_automation_report.ci.facts import BuildInfo
from pytest_automation_report.recording.fields import clean_field
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.session.run_hook_calls import described_run
from pytest_automation_report.session.selection import SELECTION_FIELD, selection_of
from pytest_automation_report.settings.run import common_facts, configured_run, sharing_of
from pytest_automation_report.text.limits import string
from pytest_automation_report.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.annotations.hooks import ArtifactFile, UserErrors
    from pytest_automation_report.settings.run import RunSharing
    from pytest_automation_report.settings.settings import Settings


def software_fields(config: pytest.Config) -> tuple[Field, ...]:
    """Return the versions of Python, pytest, its plugins, the system and the installed packages as fields."""
    implementation = platform.python_implementation()
    python = platform.python_version()
    packages = [_name_and_version(dist) for _, dist in config.pluginmanager.list_plugin_distinfo()]
    values = {
        "Python": python if implementation == "CPython" else f"{python} ({implementation})",
        "pytest": pytest.__version__,
        "Plugins": ", ".join(sorted(set(packages))),
        "OS": ", ".join(filter(None, (_distribution(), _kernel()))),
    }
    installed = installed_packages(sys.path)
    return (
        *(Field(name, string(value)) for name, value in values.items() if value),
        *([Field("Packages", installed, FieldType.TEXT)] if installed else []),
    )


def installed_packages(path: Sequence[str]) -> str:
    """Return the installed packages of a search path, a name and a version in each line, by their names.

    From the names of the folders with their metadata, which costs 0.2 ms where reading the metadata of 100 packages
    costs 20 ms. A package that stands in two folders is the one of the first, which Python imports.
    """
    versions: dict[str, str] = {}
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
            if dash:
                versions.setdefault(name.replace("_", "-").replace(".", "-").lower(), version.partition("-py")[0])
    return "\n".join(f"{name} {versions[name]}" for name in sorted(versions))


def _name_and_version(dist: Any) -> str:  # noqa: ANN401 - pytest wraps the distribution of importlib.metadata
    """Return the name and the version of an installed package.

    From the text of its headers: the parser of e-mails, by which a distribution reads them, needs ten times as long.
    """
    headers = (dist.read_text("METADATA") or "").partition("\n\n")[0].split("\n")
    names = [
        line.removeprefix(prefix) for prefix in ("Name: ", "Version: ") for line in headers if line.startswith(prefix)
    ]
    if len(names) == 2:  # noqa: PLR2004 - name and version
        return " ".join(names)
    return f"{dist.metadata['Name']} {dist.metadata['Version']}"  # an egg-info, or something of another tool


def _distribution() -> str:
    """Return the name of the Linux distribution, or macOS's version; empty on other systems."""
    version = platform.mac_ver()[0]
    if version:
        return f"macOS {version}"
    try:
        release: Mapping[str, str] = platform.freedesktop_os_release()
    except OSError:
        return ""
    return release.get("PRETTY_NAME", "")


def _kernel() -> str:
    """Return the kernel's name and release, and the machine."""
    # Not `platform.platform`, which starts a process.
    system = os.uname()
    return f"{system.sysname} {system.release} {system.machine}"


def session_run(
    config: pytest.Config,
    configuration: Settings,
    options: RecordingOptions,
    user_errors: UserErrors,
    facts: BuildInfo,
) -> tuple[NewRun, tuple[ArtifactFile, ...], RunSharing]:
    """Return the run to create for a session, the files that hooks add to it, and how jobs share it.

    A run that is joined gets no description, since it belongs to another session. A run that jobs share is described
    only by the values that all of them have in common.
    """
    sharing = sharing_of(configuration, facts)
    if configuration.run_id is not None:
        return _new_run(configuration, options, facts=BuildInfo(), software=()), (), sharing
    if sharing.tag:
        run = _new_run(configuration, options, facts=common_facts(facts), software=())
        run = sharing.run(run, has_name="name" in configuration.origins)
    else:
        software = software_fields(config) if configuration.facts != "none" else ()
        # Not of a run that jobs share: each of them may select a part, which make the whole suite together.
        selection = selection_of(config)
        software = (*software, *((Field(SELECTION_FIELD, string(selection)),) if selection else ()))
        run = _new_run(configuration, options, facts=facts, software=software)
    return *described_run(config, run, options, user_errors), sharing


def _new_run(
    configuration: Settings, options: RecordingOptions, *, facts: BuildInfo, software: tuple[Field, ...]
) -> NewRun:
    """Return the run, without secrets in its texts."""
    run = configured_run(configuration, facts, own=software)
    cleaner = cleaner_for(options)
    return replace(
        run,
        fields=tuple(clean_field(field, cleaner) for field in run.fields),
        links=tuple(replace(link, url=cleaner.address(link.url)) for link in run.links),
    )
