"""Draws docs/terminal.svg: the example project's real output. Needs ``rich``; run it from anywhere."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).parent.parent
WIDTH = 96

# rich's own template names a font on the network; this one takes what the reader has.
TEMPLATE = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img"
 aria-label="pytest --automation-report in a terminal">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
 font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def output() -> str:
    """Return what the example project's session prints, in colour."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Path(folder) / "shop"
        shutil.copytree(ROOT / "examples" / "shop", shop, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        command = [sys.executable, "-m", "pytest", "--automation-report", "--color=yes", "--tb=line"]
        command += ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"  # as in an activated environment
        environment = {"COLUMNS": str(WIDTH), "PATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command += ["-p", "pytest_automation_report.plugin"]
        done = subprocess.run(command, cwd=shop, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        text = done.stdout.replace(str(shop), "~/shop")
    return "\x1b[32m~/shop $\x1b[0m pytest --automation-report\n" + text


def main() -> None:
    """Write the picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(output()))
    svg = console.export_svg(
        title="pytest --automation-report", theme=MONOKAI, code_format=TEMPLATE, unique_id="terminal"
    )
    (ROOT / "docs" / "terminal.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
