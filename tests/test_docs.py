"""The pages of docs/: they build without a warning, and every link in them leads somewhere."""

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from test_architecture import MODULES

DOCS = Path(__file__).parent.parent / "docs"
FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """What a page can be linked to by, what it links to, and what a browser fetches with it."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.words: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {value for value in (values.get("id"), values.get("name")) if value}
        if tag == "a" and values.get("href"):
            self.links.add(str(values["href"]))
        if value := values.get(FETCHED.get(tag, "")):
            self.fetched.add(value)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages."""
    out = tmp_path_factory.mktemp("site")
    words = ["-W", "--keep-going", "-n", "-q", str(DOCS), str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in site.rglob("*.html")}


def leads_nowhere(file: Path, pages: dict[Path, Page]) -> Iterator[str]:
    for link in sorted(pages[file].links | pages[file].fetched):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
        anchors = pages[target].anchors if target in pages else set()
        if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
            yield f"{file.name}: {link}"


def test_every_link_leads_somewhere(pages):
    found = [link for file in pages for link in leads_nowhere(file, pages)]
    assert len(pages) > 20 and not found


def test_nothing_is_fetched_from_elsewhere(site, pages):
    fetched = {link for page in pages.values() for link in page.fetched}
    assert fetched and not {link for link in fetched if urlsplit(link).netloc}
    styles = [file.read_text(encoding="utf-8") for file in site.rglob("*.css")]
    assert styles and not [style for style in styles if re.search(r"(url\(|@import)\W*http", style)]


@pytest.mark.parametrize("module", MODULES)
def test_every_command_has_a_page_with_every_flag(module, site, pages):
    told = importlib.import_module(f"kerasgan.{module}").build_parser().format_help()
    flags = set(re.findall(r"^  (?:-\w.*, )?(--[a-z][-a-z0-9]*)", told, re.MULTILINE)) - {"--help"}
    name = module.removesuffix(".__main__")
    page = pages[site / "reference" / "commands" / f"{name}.html"]
    assert flags and {f"cmdoption-{name}{flag[1:]}" for flag in flags} <= page.anchors


def test_docstrings_are_on_the_pages(pages):
    anchors = {anchor for page in pages.values() for anchor in page.anchors}
    public = {"gan.GAN.train_on_batch", "data.load", "saved.load", "recipes.Recipe", "loop.train"}
    assert {f"kerasgan.{name}" for name in public} <= anchors
