"""Resolve the user's artifact store, and the template of addresses for files that the CI provider uploads."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.artifacts import is_bucket, shown_store, template_for
from pytest_automation_report.api.models import ArtifactStoreConfig
from pytest_automation_report.ci.detection import facts_for
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings.table import setting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_automation_report.settings.configuration import Configuration

_INSTALL: Final = "pip install 'obstore>=0.10'"

_VARIABLES: Final = ("AWS_", "GOOGLE_", "AZURE_", "MSI_", "IDENTITY_")
_OTHER_VARIABLES: Final = frozenset({"HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE"})


def artifact_store(
    configuration: Configuration, environ: Mapping[str, str], root: Path
) -> tuple[ArtifactStoreConfig | None, str]:
    """Return the user's artifact store, None without a usable one, and a warning, empty without one.

    Raises `SettingError` for a bucket without the packages that reach it, except if the environment names the bucket.
    Credentials are read at once, from the same variables as the providers' own tools read: tests may change them.
    """
    address = configuration.artifact_store
    if not address:
        return None, ""
    url = _template(configuration, environ, root)
    if configuration.artifact_url and not url:
        reason = f"a value that {configuration.artifact_url} needs is unknown"
        return None, f"artifact_url: {reason}: artifacts are not stored in {shown_store(address)}"
    if not is_bucket(address):
        return ArtifactStoreConfig(address, url), ""
    if find_spec("obstore") is None:
        origin = configuration.origins.get("artifact_store", "artifact_store")
        remedy = f"a bucket needs packages that are not installed: {_INSTALL}"
        error = SettingError(origin, shown_store(address), remedy)
        if origin != setting("artifact_store").environment:
            raise error
        return None, str(error)
    variables = {name: value for name, value in environ.items() if _is_credential(name)}
    return ArtifactStoreConfig(address, url, variables), ""


def files_template(configuration: Configuration, environ: Mapping[str, str], root: Path) -> str:
    """Return the template of the addresses of files that are not copied, empty if artifacts are stored."""
    return "" if configuration.artifact_store else _template(configuration, environ, root)


def _template(configuration: Configuration, environ: Mapping[str, str], root: Path) -> str:
    """Return ``artifact_url`` with the facts of the build filled in, empty if one of them is unknown."""
    if not configuration.artifact_url:
        return ""
    needs_git = any(f"{{{name}}}" in configuration.artifact_url for name in ("branch", "commit"))
    facts = facts_for(configuration.build_info, "all" if needs_git else "ci", environ, root)
    return template_for(configuration.artifact_url, facts.template_values())


def _is_credential(name: str) -> bool:
    return name.startswith(_VARIABLES) or name.upper() in _OTHER_VARIABLES
