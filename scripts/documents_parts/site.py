"""Which pages has the site beside docs/, and where do links out of docs/ go? A hook of mkdocs (mkdocs.yml).

README.md and CHANGELOG.md stand at the top of the tree and are pages too. What else a page links to there, such as a
file of code, is not on the site: its name stays, the link goes. A link to what is not in the tree stays, and fails the
build.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}
"""What stands at the top of the tree, to its page on the site."""

_fence = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)
_link = re.compile(r"\[(?P<text>[^\]\n]+)\]\((?P<target>[^)\s]+)\)")
_foreign = re.compile(r"[a-z]+:|#|/").match


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that stand at the top of the tree."""
    for name, page in PAGES.items():
        text = turned_to_site((ROOT / name).read_text(encoding="utf-8"), name, page)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  # mkdocs names them
    """Turns the links of a page of docs/ to what the site has."""
    uri = page.file.src_uri
    return markdown if uri in PAGES.values() else turned_to_site(markdown, f"docs/{uri}", uri)


def turned_to_site(markdown: str, stands_at: str, uri: str) -> str:
    """The text of a file of the tree for the site: its links, but not those in blocks of code, lead to pages there."""

    def turned(link: re.Match[str]) -> str:
        target = _target_there(link["target"], posixpath.dirname(stands_at), posixpath.dirname(uri))
        return link["text"] if target is None else f"[{link['text']}]({target})"

    parts = _fence.split(markdown)
    return "".join(part if part.startswith("```") else _link.sub(turned, part) for part in parts)


def _target_there(target: str, directory: str, of_page: str) -> str | None:
    """The same target from the page, None where the site does not have what the tree has."""
    if _foreign(target):
        return target
    path, hash_, anchor = target.partition("#")
    in_tree = posixpath.normpath(posixpath.join(directory, path))
    if in_tree in PAGES:
        page = PAGES[in_tree]
    elif in_tree.startswith("docs/"):
        page = in_tree.removeprefix("docs/") + ("/" if path.endswith("/") else "")
    else:
        return None if (ROOT / in_tree).exists() else target
    return posixpath.relpath(page, of_page or ".") + hash_ + anchor
