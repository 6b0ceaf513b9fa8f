"""The run that a session creates (floor 4): what the settings say, where it is made, what hooks add."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_automation_report.facts import Facts
from pytest_automation_report.model import Field, NewRun, Resources
from pytest_automation_report.rules import texts
from pytest_automation_report.run_hooks import described_run
from pytest_automation_report.sharing import common_facts, configured_run, sharing_of
from pytest_automation_report.software import software_fields
from pytest_automation_report.whereabouts import facts_for

if TYPE_CHECKING:
    import pytest

    from pytest_automation_report.additions import ArtifactFile
    from pytest_automation_report.asking import Troubles
    from pytest_automation_report.configuration import Configuration
    from pytest_automation_report.rules import Rules
    from pytest_automation_report.sharing import Sharing


def session_run(
    config: pytest.Config, configuration: Configuration, rules: Rules, troubles: Troubles
) -> tuple[NewRun, tuple[ArtifactFile, ...], Sharing]:
    """Return the run to create for a session, the files that hooks add to it, and how jobs share it.

    One that is joined tells of itself, one that jobs share tells what they have in common.
    """
    facts = facts_for(configuration, os.environ, config.rootpath)
    sharing = sharing_of(configuration, facts)
    if configuration.run_id is not None:
        return _new_run(configuration, rules, facts=Facts(), software=()), (), sharing
    if sharing.tag:
        run = _new_run(configuration, rules, facts=common_facts(facts), software=())
        run = sharing.run(run, has_name="name" in configuration.origins)
    else:
        software = software_fields(config) if configuration.facts != "none" else ()
        run = _new_run(configuration, rules, facts=facts, software=software)
    return *described_run(config, run, rules, troubles), sharing


def _new_run(configuration: Configuration, rules: Rules, *, facts: Facts, software: tuple[Field, ...]) -> NewRun:
    """Return the run, without secrets in its texts."""
    run = configured_run(configuration, facts, own=software)
    clean = texts(rules)
    return replace(
        run,
        resources=Resources(
            fields=tuple(map(clean.field, run.resources.fields)),
            links=tuple(replace(each, url=clean.address(each.url)) for each in run.resources.links),
        ),
    )
