"""Resolve the settings of a session, its token, its secrets and its options for recording, before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from msgspec import Struct, to_builtins

from pytest_automation_report.api.models import Token
from pytest_automation_report.api.urls import is_bucket
from pytest_automation_report.ci.detection import FactsSearch
from pytest_automation_report.delivery.launch import (
    NEEDED,
    NEEDED_EMBEDDED,
    LaunchError,
    SenderProcess,
    printed_by,
    timeouts_from,
)
from pytest_automation_report.session.collection import captured_files
from pytest_automation_report.settings.resolver import artifact_store, files_template, project_name, settings_from
from pytest_automation_report.settings.sources import read_pytest_settings
from pytest_automation_report.settings.token import secrets_from, token_for
from pytest_automation_report.spool.folder import new_session_name
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import ArtifactStoreConfig
    from pytest_automation_report.delivery.launch import Timeouts
    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.text.redaction import TextCleaner


class SessionSetup(Struct, frozen=True):
    """The values of a session that never change after pytest has configured itself.

    ``sender`` and ``token`` are None if results are to be sent later. ``environ`` is a copy: tests change the original.
    """

    name: str
    sender: SenderProcess | None
    configuration: Settings
    token: Token | None
    timeouts: Timeouts
    environ: Mapping[str, str]
    store: ArtifactStoreConfig | None
    options: RecordingOptions
    facts: FactsSearch

    @property
    def cleaner(self) -> TextCleaner:
        """The cleaner for texts that pytest shows."""
        from pytest_automation_report.recording.options import cleaner_for  # noqa: PLC0415 - after the sender's start

        return cleaner_for(self.options)

    def close_sender(self) -> None:
        """Let go of the sender: it delivers the session that it was given, or ends."""
        if self.sender is not None:
            self.sender.close()


def session_configuration(config: pytest.Config, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a pytest session; raises `SettingError` for one that cannot be used."""
    return settings_from(
        read_pytest_settings(config, environ),
        environ=environ,
        root=config.rootpath,
        project_name=project_name(config.rootpath),
        local_time=Unpatched.utc().astimezone(),
        here=config.invocation_params.dir,
    )


def session_setup(config: pytest.Config, environ: Mapping[str, str], warning: str = "") -> SessionSetup:
    """Return the setup of a session, whose sender starts; ``warning`` is shown in the summary.

    Raises `SettingError` for a setting that cannot be used, and `pytest.UsageError` if preflight fails.
    """
    environ = dict(environ)  # also since each look at `os.environ` encodes a name
    configuration, token = token_for(session_configuration(config, environ), environ)
    # The sender writes the embedded store directly, and needs no token.
    used = Token("embedded") if configuration.endpoint.is_embedded else token
    store, store_warning = artifact_store(configuration, environ, config.rootpath)
    if configuration.preflight:
        _check_before(configuration, used)
    if used is not None and not configuration.endpoint.is_embedded and configuration.is_sendable:
        from pytest_automation_report.settings.console import KnownAddresses  # noqa: PLC0415 - only for servers elsewhere

        # The console command may send a token there from now on.
        KnownAddresses(environ, config.rootpath).remember(configuration)
    if warning or store_warning:
        configuration = configuration.changed(warnings=(warning or store_warning, *configuration.warnings))
    name = new_session_name()
    # As early as possible: from here on the sender imports its modules on another core, and pytest imports its own.
    sender = None
    if configuration.delivery != "later" and configuration.is_sendable and used is not None:
        sender = SenderProcess(
            name,
            is_embedded=configuration.endpoint.is_embedded,
            has_bucket=store is not None and is_bucket(store.address),
            has_report=bool(configuration.html),
            # For a test that kills this process in the session's first second, before the sender is ready.
            inherited=[descriptor for _, descriptor, _, _ in captured_files(config)],
        )
    facts = FactsSearch(configuration.build_info, configuration.facts, environ, config.rootpath)
    try:
        return SessionSetup(
            name=name,
            sender=sender,
            configuration=configuration,
            token=used,
            timeouts=timeouts_from(
                environ, is_embedded=configuration.endpoint.is_embedded, exit_all=configuration.exit_wait
            ),
            environ=environ,
            store=store,
            options=_recording_options(config, configuration, environ, token),
            facts=facts,
        )
    except BaseException:
        if sender is not None:
            sender.close()
        facts.close()
        raise


def _recording_options(
    config: pytest.Config, configuration: Settings, environ: Mapping[str, str], token: Token | None
) -> RecordingOptions:
    from pytest_automation_report.settings.run import recording_options  # noqa: PLC0415 - after the sender's start

    secrets = secrets_from(environ, token, is_builtin=configuration.redact_builtin)
    prefix = str(getattr(config.option, "junitprefix", None) or "")
    template = files_template(configuration, environ, config.rootpath)
    return recording_options(configuration, prefix, secrets, artifact_url=template)


def _check_before(configuration: Settings, token: Token | None) -> None:
    """Raise `pytest.UsageError` if results cannot be sent; without a token they are sent later, which is allowed."""
    origin = configuration.origins.get("preflight", "preflight")
    if configuration.blocking_error:
        raise pytest.UsageError(f"{origin}: results cannot be sent: {configuration.blocking_error}")
    if token is None:
        return
    endpoint = configuration.endpoint
    needed = NEEDED_EMBEDDED if endpoint.is_embedded else NEEDED
    start = {"endpoint": to_builtins(endpoint), "token": token.value}
    try:
        printed = printed_by(_CHECKS, start, needed=needed, seconds=_CHECKS_SECONDS)
    except LaunchError as error:
        raise pytest.UsageError(f"{origin}: the checks could not be made: {error}: leave preflight out") from error
    if printed.strip():
        target = configuration.url or configuration.database
        raise pytest.UsageError(f"{origin}: {target} cannot be used: {printed.strip()}")


# In a process of its own: pytest's must not load the HTTP client.
_CHECKS: Final = """\
from pytest_automation_report.cli.checks import connection_checks
from pytest_automation_report.api.models import Endpoint, Token
checks = connection_checks(Endpoint(**start['endpoint']), Token(start['token']))
print('; '.join(check.line for check in checks if check.state == 'failed'))
"""
_CHECKS_SECONDS: Final = 40
