"""Resolve the settings of a session, its token, its secrets and its options for recording, before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from pytest_automation_report.api.models import ArtifactStoreConfig, Token, is_bucket
from pytest_automation_report.ci.detection import FactsSearch
from pytest_automation_report.delivery.launch import SenderProcess, Timeouts
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for, secrets_from
from pytest_automation_report.session.collection import captured_files, resolve_prefix
from pytest_automation_report.settings.resolver import project_name, read_pytest_settings, settings_from
from pytest_automation_report.spool.folder import new_session_name
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.text.redaction import TextCleaner


class SessionSetup(Struct, frozen=True):
    """The values of a session that never change after pytest has configured itself.

    ``sender`` and ``token`` are None if results are to be sent later. ``environ`` is a copy: tests change the original.
    """

    name: str
    sender: SenderProcess | None
    settings: Settings
    token: Token | None
    timeouts: Timeouts
    environ: Mapping[str, str]
    store: ArtifactStoreConfig | None
    options: RecordingOptions
    facts: FactsSearch

    @property
    def cleaner(self) -> TextCleaner:
        """The cleaner for texts that pytest shows."""
        return cleaner_for(self.options)

    def close_sender(self) -> None:
        """Let go of the sender: it delivers the session that it was given, or ends."""
        if self.sender is not None:
            self.sender.close()


def session_settings(config: pytest.Config, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a pytest session; raises `SettingError` for one that cannot be used."""
    settings = settings_from(
        read_pytest_settings(config, environ),
        environ=environ,
        root=config.rootpath,
        project_name=project_name(config.rootpath),
        local_time=Unpatched.utc().astimezone(),
        here=config.invocation_params.dir,
    )
    shard = config.getoption("automation_report_shard")
    if shard is None:
        return settings
    from pytest_automation_report.session.history import read_shard  # noqa: PLC0415 - only with the option

    return settings.changed(shard=read_shard(shard, environ))


def session_setup(config: pytest.Config, environ: Mapping[str, str], warning: str = "") -> SessionSetup:
    """Return the setup of a session, whose sender starts; ``warning`` is shown in the summary.

    Raises `SettingError` for a setting that cannot be used, and `pytest.UsageError` if preflight fails.
    """
    environ = dict(environ)  # also since each look at `os.environ` encodes a name
    settings, token = session_settings(config, environ), None
    is_embedded = settings.endpoint.is_embedded
    if not is_embedded:
        from pytest_automation_report.settings.token import token_for  # noqa: PLC0415 - only for servers elsewhere

        settings, token = token_for(settings, environ)
    # The sender writes the embedded store directly, and needs no token.
    used = Token("embedded") if is_embedded else token
    store, store_warning, template = None, "", ""
    if settings.artifact_store or settings.artifact_url:
        from pytest_automation_report.settings.servers import artifact_store, files_template  # noqa: PLC0415 - few set one

        store, store_warning = artifact_store(settings, environ, config.rootpath)
        # Of files that are not copied: the CI provider uploads them.
        template = "" if settings.artifact_store else files_template(settings, environ, config.rootpath)
    if settings.preflight:
        from pytest_automation_report.session.console import check_before  # noqa: PLC0415 - only with the setting

        check_before(settings, used)
    if used is not None and not is_embedded and settings.is_sendable:
        from pytest_automation_report.settings.console import KnownAddresses  # noqa: PLC0415 - only for servers elsewhere

        # The console command may send a token there from the first answer on.
        settings = KnownAddresses(environ, config.rootpath).noting(settings)
    if warning or store_warning:
        settings = settings.changed(warnings=(warning or store_warning, *settings.warnings))
    name = new_session_name()
    # As early as possible: from here on the sender imports its modules on another core, and pytest imports its own.
    sender = None
    if settings.delivery != "later" and settings.is_sendable and used is not None:
        sender = SenderProcess(
            name,
            is_embedded=is_embedded,
            has_bucket=store is not None and is_bucket(store.address),
            has_report=bool(settings.html),
            # For a test that kills this process in the session's first second, before the sender is ready.
            inherited=[descriptor for _, descriptor, _, _ in captured_files(config)],
        )
    facts = FactsSearch(settings.build_info, settings.facts, environ, config.rootpath)
    try:
        from pytest_automation_report.settings.run import recording_options, timeouts_from  # noqa: PLC0415 - after the sender's start

        prefix = resolve_prefix(config, settings.folder_prefix)
        secrets = secrets_from(environ, token, is_builtin=settings.redact_builtin)
        return SessionSetup(
            name=name,
            sender=sender,
            settings=settings,
            token=used,
            timeouts=timeouts_from(environ, is_embedded=is_embedded, exit_all=settings.exit_wait),
            environ=environ,
            store=store,
            options=recording_options(settings, prefix, secrets, config.rootpath, artifact_url=template),
            facts=facts,
        )
    except BaseException:
        if sender is not None:
            sender.close()
        facts.close()
        raise
