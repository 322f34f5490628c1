"""A page in headless Chromium: what it says on its console, what stands in it, and how it looks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)


def chromium() -> str:
    """Skips where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("Chromium is not here (scripts/setup installs it): the page was not rendered")
    return found


def run(page: Path, directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """With an empty profile; what the console says comes on standard error."""
    command = [chromium(), *_FLAGS, f"--user-data-dir={directory / 'profile'}", "--enable-logging=stderr", *more]
    return subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, check=True, timeout=60, cwd=directory
    )


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What the page said on its console, errors and warnings too."""
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def screenshot(page: Path, directory: Path, *more: str, size: str = "1200,6000") -> Path:
    file = directory / "page.png"
    run(page, directory, f"--screenshot={file}", f"--window-size={size}", *more)
    return file
