"""Links of the README and of the pages in docs lead somewhere, and no page stands alone."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def targets(page: Path) -> list[str]:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    return [link.partition("#")[0] for link in links if "://" not in link and not link.startswith("#")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files(page: Path):
    missing = [link for link in targets(page) if not (page.parent / link).exists()]
    assert not missing


def test_every_page_is_linked():
    linked = {(page.parent / link).resolve() for page in PAGES for link in targets(page)}
    alone = [page.name for page in (ROOT / "docs").glob("*.md") if page.resolve() not in linked]
    assert not alone
