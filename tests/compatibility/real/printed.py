"""What a session printed: its counts, and its lines without the report's own and without what differs by itself."""

import re
from pathlib import Path

_LAST_LINE = re.compile(r"^(?:=+ )?(no tests ran|\d+ [a-z]+(?:, \d+ [a-z]+)*) in [\d.]+s", re.MULTILINE)
_PROGRESS = re.compile(r"[.,uFEsxXRr]+ *\[ *\d+%\]")


def last_line(text: str) -> str:
    """Return the counts in pytest's last line, empty when there is none."""
    found: list[str] = _LAST_LINE.findall(text)
    return found[-1] if found else ""


def without_report(text: str, folder: Path) -> str:
    """Return what a session printed without the report's own lines, and without what differs from time to time."""
    text = re.sub(r"(?m)^=+ automation report =+\n(?s:.*?)(?=^=+ )", "", text)
    # Before the line of a wait the line of dots ends, and pytest ends it again.
    text = re.sub(r"(?m)^automation report: waiting .*\n\n?|^automation report: .*\n", "", text)
    text = re.sub(r", automation-report-[^,\s]+|automation-report-[^,\s]+, ", "", text.replace(str(folder), ""))
    text = re.sub(r"\d+\.\d+s( \(\d:\d\d:\d\d\))?", "TIME", text)
    text = re.sub(r"(?m)^[-=]+|[-=]+$|0x[0-9a-f]+|\b\d{5,}\b", "", text)
    if not re.search(r"(?m)^\d+ workers? ", text):
        return text
    # Workers share tests out as it comes: which of them had which, and in what order they ended, is no difference.
    return "\n".join(sorted(line for line in re.sub(r"\bgw\d\b", "gw", text).splitlines() if not _PROGRESS.match(line)))
