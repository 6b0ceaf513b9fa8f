"""What the server answers instead of doing what was asked (floor 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ApiError(Exception):
    """A request gets an answer of 4xx; nothing of it was stored.

    ``errors`` maps dotted paths of the body, or names of query parameters, to texts.
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
    """Return the refusal of a request whose address names a record that is not there."""
    return ApiError(404, f"There is no {noun} with this id.")


def already_completed(noun: str) -> ApiError:
    """Return the refusal of a change to something that is completed."""
    return ApiError(422, f"The {noun} is completed and takes no changes.")


def validation_error(errors: Mapping[str, Sequence[str]]) -> ApiError:
    """Return the refusal of a request with values that cannot be used."""
    return ApiError(422, "The request has values that cannot be used.", errors)


def in_progress() -> ApiError:
    """Return the refusal of a request whose idempotency key is being used by another one just now."""
    return ApiError(409, "A request with this idempotency key is being answered.", headers={"Retry-After": "1"})


def unreachable() -> ApiError:
    """Return the refusal of a request while the database is away: nothing was done, so it is safe to repeat."""
    return ApiError(429, "The database of the store cannot be reached.", headers={"Retry-After": "5"})


class DiskFullError(ApiError):
    """A change found the disk of the store full (429): the transaction was undone, so it is safe to repeat."""

    def __init__(self) -> None:
        message = "The disk is full: free space where the store is. Nothing of this request was stored."
        super().__init__(429, message, headers={"Retry-After": "30"})


def try_again() -> ApiError:
    """Return the refusal of a request that found the store locked: nothing was done, so it is safe to repeat."""
    return ApiError(429, "The store is busy with other writers.", headers={"Retry-After": "1"})
