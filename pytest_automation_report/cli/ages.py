"""Spans of time as they are typed (floor 4): 90s, 30m, 2h, 3d, 8w."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    _Seconds = click.ParamType[float]
else:
    _Seconds = click.ParamType  # older versions of click are not generic

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Age(_Seconds):
    """A span of time, in seconds."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own signature
        """Return the seconds of a typed span."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"([0-9]{1,6})([smhdw])", str(value))
        if match is None:
            self.fail(f"{value!r}: use a number with s, m, h, d or w, such as 30m or 2h", param, ctx)
        return float(int(match[1]) * _UNITS[match[2]])


AGE: Final = Age()
