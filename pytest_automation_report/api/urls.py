"""Check the URLs that users set for links, and the templates of files' URLs.

A URL can hold a password, so no message of this module has a URL that `shown_address` did not clean.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping


# The schemes of web addresses, each with the port of an address that names none.
DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


def shown_address(address: str) -> str:
    """Return a URL for a message: without user, password, query and fragment, which may be secrets."""
    shown = re.sub(r"[?#].*", lambda match: match[0][0] + "***", address, flags=re.DOTALL)
    if "@" not in address:
        return shown
    # The last "@": a password may contain one. This must also hide the password of a URL that cannot be parsed.
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", address)
    rest = address.rpartition("@")[2]
    return (scheme[0] if scheme else "") + "***@" + re.sub(r"[?#].*", "", rest, flags=re.DOTALL)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its spelling alone, which no name server can change."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_web_address(text: str) -> bool:
    """Whether a text is an http or https URL that a page can link to."""
    # Most values of fields are no URLs. Parsing takes 7 us in pytest's process, and this first check 1 us.
    return text[:4].lower() == "http" and not web_address_hint(text)


def web_address_hint(address: str) -> str:
    """Return the hint for a text that a page cannot link to, empty for a valid web address."""
    # Not printable are also all spaces but one, and the characters that turn the direction of writing around.
    if not address.isprintable() or " " in address or "\\" in address:
        return "write a web address without spaces"
    try:
        split = urlsplit(address)
        is_web = split.scheme in DEFAULT_PORTS and bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        is_web = False
    return "" if is_web else "write a web address that begins with https:// or http://"


# Header of all responses of a server of ours, with the largest size of an artifact file in bytes. Only a server that
# sends it gets requests that are not in the contract.
KEEPS_HEADER: Final = "Automation-Report-Artifacts"
ARTIFACTS_PATH: Final = "/artifacts"  # to which artifact files are uploaded

# Placeholders of templates that differ from file to file, and those that are the same for the whole session.
OF_FILE: Final = ("path", "name")
OF_RUN: Final = ("build", "attempt", "shard", "branch", "commit", "job_url")
# URL schemes of buckets that can store artifacts.
BUCKETS: Final = ("s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss")

_BRACED: Final = lazy_pattern(r"\{([^{}]*)\}")
_UNSAFE: Final = lazy_pattern(r"[^\w.,+@() -]")


def is_bucket(store: str) -> bool:
    """Whether a store is a bucket and not a folder."""
    return store.partition("://")[0] in BUCKETS and "://" in store


def shown_store(store: str) -> str:
    """Return the address of a store for a message: of a bucket without keys."""
    return shown_address(store) if is_bucket(store) else store


def braced(template: str) -> list[str]:
    """Return the names of a template's placeholders."""
    return _BRACED.findall(template)


def template_for(template: str, values: Mapping[str, str]) -> str:
    """Fill in the placeholders of `OF_RUN`; return an empty text if the value of one is missing."""
    if any(name not in values for name in braced(template) if name not in OF_FILE):
        return ""
    return _BRACED.sub(lambda match: values.get(match[1], match[0]), template)


def address_of(template: str, path: str, name: str) -> str:
    """Return the URL of one file; to a template without placeholders of `OF_FILE` the path is appended."""
    values = {"path": quote(path, safe="/"), "name": quote(name, safe="")}
    if not any(placeholder in values for placeholder in braced(template)):
        return f"{template.rstrip('/')}/{values['path']}"
    return _BRACED.sub(lambda match: values.get(match[1], match[0]), template)


def file_name(name: str) -> str:
    """Return a file name that is valid on all systems: without its folder, and only the end of a long one."""
    last_part = re.split(r"[/\\]", name)[-1]
    return _UNSAFE.sub("_", last_part)[-100:].strip(" .") or "file"
