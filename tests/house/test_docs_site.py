"""The documentation as a site: every link checked, nothing from elsewhere, reference pages of all tools."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from docsite import hooks, reference
from tests.report.test_genome_browser import Ranges, chromium
from transgenic_tools import __version__

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = [page for page in site.rglob("*.html") if "example" not in page.parts]
    assert len(pages) > 40
    for page in pages:
        loaded = re.findall(r"<(?:script|link|img)\b[^>]*?(?:src|href)=\"([^\"]+)\"", page.read_text())
        assert loaded
        assert not [place for place in loaded if re.match(r"(https?:)?//", place)], page
    for style in site.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()[\"' ]*https?:", style.read_text()), style


def test_every_tool_has_a_page_with_every_flag(site: Path) -> None:
    assert {"tg-prep", "tg-report", "tg-backmap"} <= set(reference.tool_names())
    for tool in reference.tool_names():
        text = (site / "reference" / f"{tool}.html").read_text()
        asked = subprocess.run(
            [sys.executable, "-m", f"transgenic_tools.cli.{tool.removeprefix('tg-')}", "--help"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
        for flag in re.findall(r"^\s+(--[a-z][\w-]+)", asked, flags=re.MULTILINE):
            assert f"<code>{flag}</code>" in text or flag == "--help", f"{tool}: {flag}"


def test_every_parameter_has_a_line(site: Path) -> None:
    schema = json.loads((ROOT / "nextflow_schema.json").read_text())
    groups = schema.get("$defs") or schema["definitions"]
    text = (site / "reference" / "parameters.html").read_text()
    for group in groups.values():
        assert all(f"<code>--{name}</code>" in text for name in group["properties"])


def test_messages_have_exit_code_and_next_step(site: Path) -> None:
    text = (site / "reference" / "messages.html").read_text()
    assert text.count("<tr>") > 150
    row = re.search(r"<td>--submission needs the genome</td>\s*<td>(\d+)</td>\s*<td>(.*?)</td>", text)
    assert row is not None
    assert row.groups() == ("2", "add --fasta GENOME.fa")


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    """The check itself: a page with a link to a file that is not there, another to a heading that is not."""
    (tmp_path / "docs").mkdir()
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    kept = {key: settings[key] for key in ("site_name", "theme", "validation", "markdown_extensions")}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(kept))
    for text in ("[gone](gone.md)\n", "[heading](#gone)\n"):
        (tmp_path / "docs" / "index.md").write_text("# Page\n\n" + text)
        done = subprocess.run(
            [sys.executable, "-m", "mkdocs", "build", "--strict"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode != 0
        assert "gone" in done.stderr


def test_links_that_leave_the_pages_become_text() -> None:
    given = "[code](../../transgenic_tools/errors.py) [c](../../CHANGELOG.md#unreleased) [o](1_prep.md) [x](gone.md)"
    assert hooks.with_links(given, "docs/stages", "stages/5_backmap.md") == (
        "code [c](../changelog.md#unreleased) [o](1_prep.md) [x](gone.md)"
    )


def test_a_list_after_a_paragraph_is_a_list() -> None:
    assert hooks.with_lists("text:\n- one\n- two") == "text:\n\n- one\n- two"
    assert hooks.with_lists("```\ntext:\n- one\n```") == "```\ntext:\n- one\n```"


def test_the_citation_file_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == "MIT"
    assert {"title", "authors", "message", "type"} <= citation.keys()
    assert f"Version {__version__}." in (ROOT / "docs" / "citing.md").read_text()


def test_no_name_of_a_heading_begins_with_a_digit() -> None:
    assert hooks.slug("1. Tools and data", "-") == "section-1-tools-and-data"
    assert hooks.slug("Tools and data", "-") == "tools-and-data"


@pytest.mark.browser
def test_every_page_fits_a_telephone_and_switches_to_dark(site: Path) -> None:
    """Nothing to scroll sideways at 400 px, no script that stops, and the menu of light and dark does what it says."""
    folder = partial(Ranges, directory=str(site))
    with chromium() as browser, ThreadingHTTPServer(("127.0.0.1", 0), folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": True},
        )
        wide = {}
        for page in sorted(site.rglob("*.html")):
            name = page.relative_to(site).as_posix()
            if not name.startswith("example/report"):  # tests/report looks at reports
                browser.get(f"http://127.0.0.1:{server.server_port}/{name}")
                wide[name] = browser.execute_script("return document.documentElement.scrollWidth")
        assert {name: width for name, width in wide.items() if width > 400} == {}
        assert [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
        for mode in ("dark", "light"):
            browser.execute_script(f"document.querySelector('[data-bs-theme-value={mode}]').click()")
            assert browser.execute_script("return document.documentElement.dataset.bsTheme") == mode
        server.shutdown()
