"""docs/ as a site: it builds without a warning, nothing in it is fetched from elsewhere, and what is broken fails."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.documents_parts.site import turned_to_site
from tests.architecture.sources import ROOT, committed_files

_MKDOCS = str(Path(sys.executable).with_name("mkdocs"))


def build(tree: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [_MKDOCS, "build", "--strict", "--config-file", str(tree / "mkdocs.yml"), "--site-dir", str(site)]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_the_documents_build_without_a_warning_and_fetch_nothing_from_elsewhere(tmp_path: Path) -> None:
    run = build(ROOT, tmp_path / "site")
    assert run.returncode == 0, run.stderr
    assert "WARNING" not in run.stderr
    fetched = re.compile(r"<(?:script|img|iframe)[^>]*\ssrc=\"https?:|<link[^>]*\shref=\"https?:")
    pages = list((tmp_path / "site").rglob("*.html"))
    assert {page.relative_to(tmp_path / "site").as_posix() for page in pages} >= {"index.html", "changelog.html"}
    assert [str(page) for page in pages if fetched.search(page.read_text())] == []


@pytest.fixture(scope="module")
def a_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the site is made of, to be spoilt."""
    tree = tmp_path_factory.mktemp("tree")
    for file in committed_files():
        name = file.relative_to(ROOT)
        if name.parts[0] in ("docs", "mkdocs.yml", "README.md", "CHANGELOG.md") or "documents_parts" in name.parts:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tree / name)
    return tree


@pytest.mark.parametrize(
    "spoilt",
    [
        "\n[a page that is not there](no-such-page.md)\n",
        "\n[a heading that is not there](ledger.md#no-such-heading)\n",
        "\n[a file that is not there](../keybroker/no_such_file.py)\n",
        "\n[from the root](/ledger.md)\n",
    ],
    ids=["page", "heading", "file", "root"],
)
def test_refuses_a_page_with_a_broken_link(spoilt: str, a_tree: Path, tmp_path: Path) -> None:
    page = a_tree / "docs" / "hsm.md"
    whole = page.read_text()
    page.write_text(whole + spoilt)
    try:
        run = build(a_tree, tmp_path / "site")
    finally:
        page.write_text(whole)
    assert run.returncode != 0
    assert "hsm.md" in run.stderr


def test_refuses_a_page_that_no_reader_would_find(a_tree: Path, tmp_path: Path) -> None:
    page = a_tree / "docs" / "lonely.md"
    page.write_text("# Lonely\n")
    try:
        run = build(a_tree, tmp_path / "site")
    finally:
        page.unlink()
    assert run.returncode != 0
    assert "lonely.md" in run.stderr


@pytest.mark.parametrize(
    ("stands_at", "uri", "link", "turned"),
    [
        ("README.md", "index.md", "[it](docs/hsm.md#part)", "[it](hsm.md#part)"),
        ("README.md", "index.md", "[`code`](keybroker/signing.py)", "`code`"),
        ("README.md", "index.md", "[it](CHANGELOG.md)", "[it](changelog.md)"),
        ("docs/hsm.md", "hsm.md", "[it](../README.md)", "[it](index.md)"),
        ("docs/adr/0001.md", "adr/0001.md", "[it](../../README.md#limits)", "[it](../index.md#limits)"),
        ("docs/adr/0001.md", "adr/0001.md", "[it](../ledger.md)", "[it](../ledger.md)"),
        ("docs/hsm.md", "hsm.md", "[it](https://example.com/)", "[it](https://example.com/)"),
        ("docs/hsm.md", "hsm.md", "[it](#part)", "[it](#part)"),
        ("docs/hsm.md", "hsm.md", "[it](../no-such-file)", "[it](../no-such-file)"),
        ("docs/hsm.md", "hsm.md", "```\na[b](../LICENSE)\n```", "```\na[b](../LICENSE)\n```"),
    ],
)
def test_links_lead_to_pages_of_the_site_or_nowhere(stands_at: str, uri: str, link: str, turned: str) -> None:
    assert turned_to_site(link, stands_at, uri) == turned


def test_a_list_stands_apart_from_what_is_above_it() -> None:
    """Elsewhere it need not; here it would be a paragraph."""
    found = []
    for page in sorted((ROOT / "docs").rglob("*.md")):
        text = re.sub(r"```.*?```", lambda block: re.sub(r"\S", "", block[0]), page.read_text(), flags=re.DOTALL)
        lines = text.split("\n")
        found += [f"{page.name}:{n + 1}" for n, line in enumerate(lines[1:], 1) if begins_a_list(lines[n - 1], line)]
    assert found == []


def begins_a_list(above: str, line: str) -> bool:
    item = re.compile(r"(?:[-*] |\d+\. )").match
    return bool(item(line)) and bool(above.strip()) and not item(above) and above[0] not in " #|>"
