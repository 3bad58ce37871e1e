"""Whether every link of the built site leads somewhere and every picture has a text: python -m docs.check"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag

from bs4 import BeautifulSoup, Tag

from lessons_lib.paths import ROOT

SITE = ROOT / "build" / "site"
_ELSEWHERE = ("http:", "https:", "mailto:", "data:", "javascript:")


def faults(site: Path) -> list[str]:
    """Return a line for each link of a site that leads nowhere, and for each picture without a text.

    Addresses on other machines are not tried.
    """
    pages = site_pages(site)
    if not pages:
        raise FileNotFoundError(f"{site} holds no page: `make site` builds it")
    return [f"{path.relative_to(site)}: {fault}" for path in pages for fault in _faults_of(path)]


def site_pages(site: Path) -> list[Path]:
    """Return the pages of a site, without what its theme leaves in _static."""
    return [path for path in sorted(site.rglob("*.html")) if path.relative_to(site).parts[0] != "_static"]


@cache
def _parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def _anchors(path: Path) -> set[str]:
    """Return the places of a page that a link can name."""
    return {str(tag.get("id") or tag.get("name")) for tag in _parsed(path).find_all(_is_place)}


def _is_place(tag: Tag) -> bool:
    return tag.has_attr("id") or (tag.name == "a" and tag.has_attr("name"))


def _faults_of(path: Path) -> Iterator[str]:
    page = _parsed(path)
    for tag in page.find_all(["a", "img", "link", "script"]):
        address = str(tag.get("href") or tag.get("src") or "")
        if fault := _fault_of(path, address):
            yield f"{fault} ({address[:120]})"
        if tag.name == "img" and not str(tag.get("alt", "")).strip():
            yield f"a picture without a text ({address[:120]})"


def _fault_of(page: Path, address: str) -> str:
    """Return what is wrong with an address on a page, or an empty text."""
    if not address or address.startswith(_ELSEWHERE):
        return ""
    place, anchor = urldefrag(address)
    target = (page.parent / unquote(place.partition("?")[0])).resolve() if place else page
    if not target.exists():
        return "leads nowhere"
    if target.is_dir():
        return "leads to a folder"
    if anchor and target.suffix == ".html" and unquote(anchor) not in _anchors(target):
        return "names no place on that page"
    return ""


def main() -> None:
    """Print the faults of the built site; code 1 when there are any."""
    lines = faults(SITE)
    print(*lines, f"{len(site_pages(SITE))} pages, {len(lines)} faults", sep="\n")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
