"""Open a bucket, and remove files in it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def open_bucket(address: str, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - a store of any kind
    """Return the bucket of an address; its credentials are in this process's environment."""
    from obstore.store import from_url  # noqa: PLC0415 - an extra that only users of a bucket need

    is_plain = environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true"}
    opened: Any = from_url  # untyped: it has an overload for each kind of bucket, and the URL selects it
    return opened(
        address,
        client_options={"timeout": "30s", "connect_timeout": "5s", "allow_http": is_plain},
        retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=20)},
    )


def remove_files(bucket: Any, hashes: Iterable[str], now_us: int) -> None:  # noqa: ANN401 - a class of obstore, which is an extra
    """Remove the files with these hashes, unless they were written in the last day: a session may still need those."""
    import obstore  # noqa: PLC0415 - an extra

    latest = datetime.fromtimestamp(now_us / 1_000_000, timezone.utc) - timedelta(days=1)
    for content_hash in hashes:
        for page in obstore.list(bucket, prefix=content_hash):
            paths = [each["path"] for each in page if each["last_modified"] < latest]
            obstore.delete(bucket, paths)
