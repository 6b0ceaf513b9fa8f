"""Read the raw value of each setting, and resolve all of them to one `Settings` of typed values with their origins.

pytest and the console command read different places in one order: command line, environment, ini file. Empty is unset.

A mistake on the command line or in an ini file is an error. In the environment it is a warning, and the tests run:
results are then kept instead of sent, since a guess could send them to the wrong place. Of the file system only the
paths that settings name are looked at. Messages show addresses without their passwords.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Endpoint, is_bucket, shown_address
from pytest_automation_report.ci.detection import ci_facts
from pytest_automation_report.ci.facts import with_fallbacks
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings.settings import (
    LOCAL_URL,
    PREFIX,
    SETTINGS,
    STORE,
    SWITCH_NAME,
    SWITCH_OPTION,
    TOKEN_VARIABLES,
    Setting,
    Settings,
    find_setting,
    ini_values,
    is_override,
    normalized_ini_name,
)
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import STDOUT
from pytest_automation_report.text.limits import STRING_UNITS, string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    import pytest

    from pytest_automation_report.settings import parsers
    from pytest_automation_report.settings.parsers import RawSetting, SettingSource
else:
    from pytest_automation_report.settings.settings import parsers  # loaded with the first value that a user set

ValueT = TypeVar("ValueT")
DefaultT = TypeVar("DefaultT")


def read_pytest_settings(
    config: pytest.Config, environ: Mapping[str, str], settings: Sequence[Setting] = SETTINGS
) -> dict[str, RawSetting]:
    """Return a session's settings by name; raises `SettingError` for an ini value that pytest cannot read."""
    values = ini_values(config, [(setting.ini, setting.kind) for setting in settings])
    found: dict[str, RawSetting] = {}
    for setting, in_file in zip(settings, values, strict=True):
        option = config.getoption(setting.ini) if setting.is_option else None
        spelled = setting.off_option if option is False else setting.option
        if raw := raw_setting(setting, (option, spelled), environ, in_file):
            found[setting.name] = raw
    return found


def raw_setting(
    setting: Setting, option: tuple[object, str], environ: Mapping[str, str], in_file: tuple[object, str]
) -> RawSetting | None:
    """Return a setting by the first place that has it; option and ini value come with their origins."""
    value, origin = in_file
    if setting.is_list and isinstance(value, str):
        value = value.split("\n")
    if isinstance(value, (list, tuple)):
        texts = [item for item in value if isinstance(item, str)]
        value = _stripped(texts) if len(texts) == len(value) else tuple(value)
    from_file = _unless_empty(value, origin, "command line" if is_override(origin) else "ini file")
    return (
        _typed(setting, *option, "command line")
        or (from_file if is_override(origin) else None)
        or _typed(setting, environ.get(setting.environment), setting.environment, "environment")
        or from_file
    )


def _typed(setting: Setting, value: object, origin: str, source: SettingSource) -> RawSetting | None:
    r"""Return the value of an option or a variable; commas separate the values of a list, ``\,`` is a comma."""
    if setting.is_list and isinstance(value, (str, list, tuple)):
        texts = [value] if isinstance(value, str) else value
        pieces = (piece for text in texts for piece in re.split(r"(?<!\\),", str(text)))
        value = _stripped(piece.replace("\\,", ",") for piece in pieces)
    return _unless_empty(value, origin, source)


def _unless_empty(value: object, origin: str, source: SettingSource) -> RawSetting | None:
    """Return the value with its origin, ``None`` if it is unset or empty."""
    if isinstance(value, str):
        value = value.strip()
    if value is None or value in ("", ()):
        return None
    # A TOML file may hold a date or a table: as a text it is reported like any other wrong value.
    return parsers.RawSetting(value if isinstance(value, (str, int, float, tuple)) else str(value), origin, source)


def _stripped(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(stripped for text in texts if (stripped := text.strip()))


def spelled_like(name: str, raw: RawSetting) -> str:
    """Return a setting's name in the spelling that the user used for another one."""
    other = find_setting(name)
    if raw.source == "environment":
        return other.environment
    if raw.source == "ini file":
        return other.ini
    if is_override(raw.origin):
        return f"-o {other.ini}"
    if not raw.origin.startswith(SWITCH_OPTION):
        return other.plain_option
    return other.option if other.is_option else f"-o {other.ini}"


def settings_from(
    raw_settings: Mapping[str, RawSetting],
    *,
    environ: Mapping[str, str],
    root: Path,
    project_name: str | None,
    local_time: datetime,
    here: Path | None = None,
) -> Settings:
    """Resolve raw settings to typed values; raises `SettingError` for a mistake that a user typed.

    ``root`` is the folder that relative paths start from, ``project_name`` the name in the project's pyproject.toml.
    ``here`` is the folder in which the user called pytest: a report that pytest's option names starts from there.
    """
    # An address that stands for the embedded store is the default.
    url = raw_settings.get("url")
    is_local = url is not None and str(url.value).lower() == LOCAL_URL
    used = {name: raw for name, raw in raw_settings.items() if not (is_local and name == "url")}
    resolver = _Resolver(used, environ, root.absolute())
    ours = {name for name in environ if name.startswith(PREFIX.upper())}
    for unknown in sorted(ours - {*TOKEN_VARIABLES, *(setting.environment for setting in SETTINGS)}):
        near = _nearest(unknown.lower()).upper()
        resolver.warnings.append(f"{unknown}: does nothing" + (f"; did you mean {near}?" if near else ""))
    values = resolver.values()
    values["html"] = _html(values["html"], raw_settings.get("html"), root, here or root)
    values["database"] = resolver.database(is_server_named=url is not None)
    values["artifact_store"] = resolver.artifact_store(values["artifact_url"])
    endpoint = resolver.endpoint(values["project_id"], values["database"], is_http_allowed=values["allow_http"])
    values["source"] = values["source"] or resolver.default_source(project_name)
    settings = Settings(
        {
            **values,
            "url": "" if endpoint.is_embedded else endpoint.origin,
            "project_id": endpoint.project_id,
            "ca_file": endpoint.ca_file,
            "endpoint": endpoint,
            "origins": {name: raw.origin for name, raw in raw_settings.items() if name not in resolver.refused},
            "warnings": tuple(resolver.warnings),
            "blocking_error": resolver.blocking_error,
        }
    )
    return settings.changed(name=_run_name(settings, environ, local_time))


class _Resolver:
    """Parses raw values and decides which mistake stops the session: one that a user typed, none in the environment.

    ``blocking_error`` is the first warning that keeps results from being sent. ``refused`` holds the names of settings
    that have a wrong value in the environment, which is ignored. ``root`` is absolute.
    """

    def __init__(self, raw_settings: Mapping[str, RawSetting], environ: Mapping[str, str], root: Path) -> None:
        self.raw_settings, self.environ, self.root = raw_settings, environ, root
        self.warnings: list[str] = []
        self.blocking_error = ""
        self.refused: set[str] = set()

    def value(self, name: str, parse: Callable[[RawSetting], ValueT], default: DefaultT) -> ValueT | DefaultT:
        """Return a setting's value by this parser, the default if it is unset or refused."""
        raw = self.raw_settings.get(name)
        if raw is None:
            return default
        try:
            return parse(raw)
        except SettingError as error:
            self.refuse(name, error, raw)
            return default

    def refuse(self, name: str, error: SettingError, raw: RawSetting) -> None:
        """Raise the error of a typed value; keep the error of a variable, which a CI provider may have set."""
        if raw.source != "environment":
            raise error
        self.refused.add(name)
        self.block(str(error))

    def block(self, warning: str) -> None:
        """Note a warning that keeps results from being sent."""
        self.warnings.append(warning)
        self.blocking_error = self.blocking_error or warning

    def refuse_missing(self, name: str, url: RawSetting, hint: str) -> None:
        """Refuse an address without the setting that it needs."""
        self.refuse(name, SettingError(spelled_like(name, url), None, hint, reason="missing"), url)

    def values(self) -> dict[str, Any]:
        """Return the values of all settings that depend on no others, by name; paths are absolute."""
        values: dict[str, Any] = {}
        for setting in SETTINGS:
            if not setting.needs_others:
                value = self.value(setting.name, setting.parse, setting.unset)
                values[setting.name] = self.root / value if isinstance(value, Path) else value
        for name in ("token_file", "owners", "known"):
            values[name] = values[name] and str(self.root / parsers.expanded(values[name]))
        if values["owners"] and not Path(values["owners"]).is_file():
            raw, hint = self.raw_settings["owners"], "name a file that is there"
            self.refuse("owners", SettingError(raw.origin, values["owners"], hint), raw)
            values["owners"] = ""
        if "redact" in self.refused:
            # The user wanted to hide something, and the pattern in the environment is invalid: hide all texts.
            values["redact"] = (r"[\s\S]+",)
        return values

    def database(self, *, is_server_named: bool) -> Path:
        """Return the file of the embedded store, the default one beside the PostgreSQL database of a named server."""
        default = self.root / STORE

        def parse(raw: RawSetting) -> Path:
            from pytest_automation_report.settings.servers import postgres_database  # noqa: PLC0415 - few set it

            place = postgres_database(raw)
            if place is None:
                path = self.root / parsers.path(raw)
                if path.is_dir():
                    hint = f"it is a folder: name a file, such as {path / Path(STORE).name}"
                    raise SettingError(raw.origin, raw.value, hint)
                return path
            if is_server_named:
                return default
            hint = "start `automation-report serve` with it, and report to the address of the server with"
            raise SettingError(raw.origin, place.shown, f"{hint} {spelled_like('url', raw)}")

        return self.value("database", parse, default)

    def artifact_store(self, artifact_url: str) -> str:
        """Return the user's artifact store, empty without a usable one."""

        def parse(raw: RawSetting) -> str:
            store = parsers.parse_artifact_store(raw)
            if is_bucket(store):
                return store
            if not artifact_url and "artifact_url" not in self.refused:
                hint = f"add {spelled_like('artifact_url', raw)}, the address of the folder's files"
                raise SettingError(raw.origin, raw.value, hint)
            return str(self.root / parsers.expanded(store))

        return self.value("artifact_store", parse, "")

    def endpoint(self, project_id: int | None, database: Path, *, is_http_allowed: bool) -> Endpoint:
        """Return the endpoint of the results: without a valid address an empty one, without a valid project 0."""
        url = self.raw_settings.get("url")
        if url is None and "ca_file" not in self.raw_settings:
            return Endpoint(EMBEDDED_ORIGIN, project_id or 1, str(database))
        from pytest_automation_report.settings import servers  # noqa: PLC0415 - only for servers elsewhere

        ca_file = self.value("ca_file", lambda raw: servers.certificates(raw, self.root), "")
        if url is None:
            return Endpoint(EMBEDDED_ORIGIN, project_id or 1, str(database), ca_file=ca_file)

        def parse(raw: RawSetting) -> str:
            hint = f"write https://, or allow it with {spelled_like('allow_http', raw)}"
            # `origin_from` refuses control characters itself: its message shows no password, as the text parser's does.
            address = raw.value if isinstance(raw.value, str) else parsers.text(raw)
            return servers.origin_from(address, raw.origin, is_http_allowed=is_http_allowed, http_hint=hint)

        origin = self.value("url", parse, "")
        if project_id is None and not self.refused & {"project_id", "url"}:
            self.refuse_missing("project_id", url, f"add the number of the project at {_server(url)}")
        scheme = origin.partition("://")[0]
        proxies: dict[str, str] = {}
        # Proxies and the standard variables for certificates count for servers on other machines only.
        if origin and not servers.is_loopback_origin(origin):
            proxies, warnings = servers.proxies_from(self.environ)
            if scheme in warnings:
                # An invalid one for the address's scheme keeps results from being sent.
                self.block(warnings[scheme])
        if scheme == "https" and not ca_file and "ca_file" not in self.refused:
            try:
                ca_file = servers.standard_certificates(self.environ)
            except SettingError as error:
                self.block(str(error))
        return Endpoint(origin, project_id or 0, proxies=proxies, ca_file=ca_file)

    def default_source(self, project_name: str | None) -> str:
        """Return the source of a user who set none: the project's name, for the embedded server also the folder's.

        Refuses an address without a source, except for a joined run, which has one.
        """
        source = _source_from(project_name or "")
        if source:
            return source
        url = self.raw_settings.get("url")
        if url is not None and "run_id" not in self.raw_settings and not self.refused & {"source", "url"}:
            from pytest_automation_report.settings.parsers import SOURCES  # noqa: PLC0415 - only for a mistake

            no_name = "no project name was found"
            reason = f"the project's name {project_name!r} cannot be a source" if project_name else no_name
            hint = f"{reason}: name the suite for {_server(url)}: {SOURCES}"
            self.refuse_missing("source", url, hint)
        return _source_from(self.root.name) or "pytest"


def _html(name: str, raw: RawSetting | None, root: Path, here: Path) -> str:
    """Return the path of the report, "" for none: an option starts in ``here``, as pytest's ``--junitxml`` does."""
    if raw is None or name in {"", STDOUT}:
        return name
    is_option = raw.source == "command line" and not is_override(raw.origin)
    return str((here if is_option else root).absolute() / parsers.expanded(name))


def _server(url: RawSetting) -> str:
    return f"{shown_address(str(url.value))} ({url.origin})"


def _run_name(settings: Settings, environ: Mapping[str, str], local_time: datetime) -> str:
    """Return the run's name: the user's, else one of the build, else one of the time."""
    if settings.name:
        return string(settings.name)
    facts = settings.build_info
    if settings.facts != "none":
        facts = with_fallbacks(facts, ci_facts(environ))
    parts = [part for part in (facts.ref, f"#{facts.build}" if facts.build else None) if part]
    return string(" ".join([settings.source, *(parts or [f"{local_time:%Y-%m-%d %H:%M:%S}"])]))


def project_name(root: Path) -> str | None:
    """Return ``[project].name`` of the folder's pyproject.toml, ``None`` without a readable one."""
    try:
        document = toml_document(root / "pyproject.toml")
    except (ImportError, OSError, ValueError, RecursionError):
        # A project may have no name, and other tools report a broken file.
        return None
    project = document.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return name if isinstance(name, str) else None


def toml_document(path: Path) -> dict[str, Any]:
    """Return a TOML file; raises OSError or ValueError if it cannot be read."""
    text = path.read_text(encoding="utf-8")
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - only for a project that has such a file
    else:
        import tomli as tomllib  # noqa: PLC0415 - only for a project that has such a file

    return tomllib.loads(text)


def _source_from(name: str) -> str:
    """Return a name as a valid source (a letter, then letters, digits, dashes), empty if too few characters remain."""
    plain = unicodedata.normalize("NFKD", name)
    ascii_name = "".join(character for character in plain if not unicodedata.combining(character))
    valid = re.sub(r"[^A-Za-z0-9]+", "-", ascii_name).lstrip("-0123456789").rstrip("-")[:STRING_UNITS]
    return valid if len(valid) > 1 else ""


def spool_candidates(settings: Settings, environ: Mapping[str, str]) -> Iterator[Settings]:
    """Yield the settings as they are, then with spool and store in the user's folder: a project may be read-only."""
    yield settings
    base = user_place(environ, "XDG_STATE_HOME", ".local/state", "pytest-automation-report")
    if base is None:
        return
    # Projects with one source share the user's folder: the hash of the project's path keeps them apart.
    project = sha256(str(settings.spool).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    folder = base / f"{settings.source[:40]}-{project}"
    moved = settings.changed(spool=folder / "spool")
    if settings.origins.keys().isdisjoint({"database", "spool"}):
        # The user chose a place for neither.
        moved = moved.with_store(folder / "store.sqlite3")
    yield moved


def user_place(environ: Mapping[str, str], variable: str, default: str, name: str) -> Path | None:
    """Return a place in one of the user's own folders, None without a home folder."""
    folder, home = environ.get(variable, ""), environ.get(system.HOME, "")
    if Path(folder).is_absolute():
        return Path(folder) / name
    return Path(home) / default / name if Path(home).is_absolute() else None


_INI_NAMES: Final = (SWITCH_NAME, *(setting.ini for setting in SETTINGS))
# All names that a user may have meant.
_KNOWN: Final = (*_INI_NAMES, *(name.lower() for name in TOKEN_VARIABLES))


def misspelling(name: str, origin: str) -> tuple[SettingError | None, bool]:
    """Return the error for a name in an ini file that is not a setting, and whether the user meant one.

    pytest only warns of such a name. The error is None for a name that resembles none; none has the value, which can be
    the token.
    """
    word = normalized_ini_name(name)
    if name in _INI_NAMES:
        return None, False
    near = _nearest(word)
    is_token = word.endswith("_token") or near.endswith("_token")
    if is_token:
        hint = (
            f"an API token never belongs into an ini file: take it out, make a new one if others could read it, and"
            f" set AUTOMATION_REPORT_TOKEN, or name a file that holds it with {find_setting('token_file').ini}"
        )
    elif near:
        hint = f"did you mean {near}?"
    elif word.startswith(PREFIX):
        hint = "take it out, or choose one that pytest --help shows"
    else:
        return None, False
    return SettingError(origin, None, hint, reason="is not a setting"), is_token or bool(near)


def _nearest(word: str) -> str:
    """Return the name that a word resembles most, empty for none."""
    import difflib  # noqa: PLC0415 - only for mistakes

    # Without the prefix, which alone makes any two names look alike.
    cut = len(PREFIX) if word.startswith(PREFIX) else 0
    names = {name[cut:]: name for name in _KNOWN if name.startswith(PREFIX[:cut])}
    return next((names[near] for near in difflib.get_close_matches(word[cut:], names, 1, 0.6 if cut else 0.8)), "")
