"""The frames of a failure as they are shown: the user's own open, packages and repetitions folded."""

from __future__ import annotations

import re
from itertools import chain, groupby
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_automation_report.failures.tracebacks import Frame


# What stands outside of the user's code: libraries, the standard library, code without a file.
_IN_PACKAGE: Final = re.compile(
    r"(?:^|[/\\])(?:site-packages|dist-packages)[/\\]|[/\\]lib[/\\]python[0-9.]+[/\\]|^<|[/\\]Lib[/\\](?!site)"
)
_LONGEST_CYCLE: Final = 4
_LEAST_REPEATS: Final = 3


class Call(Struct, frozen=True):
    """One frame that is shown by itself; ``is_open``: with its code."""

    frame: Frame
    is_open: bool = False


class Fold(Struct, frozen=True):
    """Frames behind one line; ``title`` says which: ``3 calls in packages``, ``58 more calls of walk``."""

    title: str
    frames: tuple[Frame, ...]


def fold_frames(frames: Sequence[Frame]) -> list[Call | Fold]:
    """Return the frames innermost first, with folds; the innermost one of the user's own code is open."""
    own = [position for position, frame in enumerate(frames) if not is_in_package(frame.path)]
    open_position = own[-1] if own else len(frames) - 1
    places = [(frame.path, frame.line, frame.function) for frame in frames]
    parts: list[Call | Fold] = []
    position = 0
    while position < len(frames):
        length, repeats = _cycle(places, position)
        end = position + length * repeats
        if position <= open_position < end:
            # The open frame must not vanish in a fold: the calls before it are enough of one.
            repeats = (open_position - position) // length
            end = position + length * repeats
        if repeats >= _LEAST_REPEATS:
            shown, behind = frames[position : position + length], frames[position + length : end]
            # Python itself may have left some of them out.
            count = len(behind) + sum(frame.repeats for frame in behind)
            parts.append(Fold(_repeat_title(shown, count), tuple(behind)))
            parts += _single(shown, position, open_position)
            position = end
        else:
            parts += _single(frames[position : position + 1], position, open_position)
            position += 1
    return _with_packages(reversed(parts))


def is_in_package(path: str) -> bool:
    """Whether a file belongs to a library or to Python itself."""
    return _IN_PACKAGE.search(path) is not None


def _single(frames: Sequence[Frame], position: int, open_position: int) -> list[Call | Fold]:
    parts: list[Call | Fold] = []
    for number, frame in enumerate(frames, position):
        if frame.repeats:
            parts.append(Fold(_repeat_title([frame], frame.repeats), ()))
        parts.append(Call(frame, number == open_position))
    return parts


def _cycle(places: Sequence[tuple[str, int, str]], position: int) -> tuple[int, int]:
    """Return length and repetitions of the shortest cycle of calls that begins here; (1, 1) for none."""
    for length in range(1, _LONGEST_CYCLE + 1):
        repeats, start = 1, position + length
        while places[start : start + length] == places[position : position + length]:
            repeats, start = repeats + 1, start + length
        if repeats >= _LEAST_REPEATS:
            return length, repeats
    return 1, 1


def _repeat_title(frames: Sequence[Frame], count: int) -> str:
    names = list(dict.fromkeys(frame.function or frame.path for frame in frames))
    return f"{count:,} more calls of {' and '.join(names)}"


def _with_packages(parts: Iterable[Call | Fold]) -> list[Call | Fold]:
    """Return the parts with neighbouring calls in packages as one fold."""
    result: list[Call | Fold] = []
    for is_foreign, group in groupby(parts, key=_is_foreign):
        if is_foreign:
            groups = [reversed(part.frames) if isinstance(part, Fold) else (part.frame,) for part in group]
            frames = tuple(chain.from_iterable(groups))
            noun = "call" if len(frames) == 1 else "calls"
            result.append(Fold(f"{len(frames):,} {noun} in packages", frames))
        else:
            result += group
    return result


def _is_foreign(part: Call | Fold) -> bool:
    if isinstance(part, Fold):
        return bool(part.frames) and all(is_in_package(frame.path) for frame in part.frames)
    return not part.is_open and is_in_package(part.frame.path)
