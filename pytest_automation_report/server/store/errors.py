"""Define the errors that the server answers with a 4xx status."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ApiError(Exception):
    """An error that is answered with a 4xx status; nothing of the request was stored.

    ``errors`` maps dotted paths of the body, or names of query parameters, to messages.
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: Mapping[str, Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors or {}
        self.headers = headers or {}


def not_found(noun: str) -> ApiError:
    """Return the error (404) for a URL whose record does not exist."""
    return ApiError(404, f"There is no {noun} with this id.")


def already_completed(noun: str) -> ApiError:
    """Return the error (422) for a change to a completed run or thread."""
    return ApiError(422, f"The {noun} is completed and takes no changes.")


def validation_error(errors: Mapping[str, Sequence[str]]) -> ApiError:
    """Return the error (422) for a request with invalid values."""
    return ApiError(422, "The request has values that cannot be used.", errors)


def unreachable() -> ApiError:
    """Return the error (429) for a database that cannot be reached.

    Clients repeat a request after 429. After a 5xx they would have to find out first whether it was applied.
    """
    return ApiError(429, "The database of the store cannot be reached.", headers={"Retry-After": "5"})


class DiskFullError(ApiError):
    """The store's disk is full (429): the transaction was rolled back, so the request is safe to repeat."""

    def __init__(self) -> None:
        message = "The disk is full: free space where the store is. Nothing of this request was stored."
        super().__init__(429, message, headers={"Retry-After": "30"})


def try_again() -> ApiError:
    """Return the error (429) for a locked store: nothing was stored, so the request is safe to repeat."""
    return ApiError(429, "The store is busy with other writers.", headers={"Retry-After": "1"})
