"""The report in a real headless Chromium: search, choose, zoom, download, both themes, narrow and wide, no errors."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.report.builders import with_reads, write_inputs
from tests.report.test_scan import scanned
from transgenic_tools.genome.code import STANDARD
from transgenic_tools.io.differences import DifferenceRow, write_differences
from transgenic_tools.report.config import Source
from transgenic_tools.report.run import run

pytestmark = pytest.mark.browser

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
DRIVER = shutil.which("chromedriver")
if CHROMIUM is None or DRIVER is None:
    pytest.skip("needs Debian's chromium and chromium-driver", allow_module_level=True)
selenium = pytest.importorskip("selenium")

from selenium import webdriver  # noqa: E402
from selenium.common.exceptions import ElementClickInterceptedException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("report")
    return run(write_inputs(directory, count=230)).out


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1600,1000",
    ):
        options.add_argument(flag)
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    browser.downloads = downloads  # type: ignore[attr-defined]
    yield browser
    browser.quit()


@pytest.fixture
def page(driver: Any, report: Path) -> Iterator[Any]:
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.get("about:blank")
    driver.get(report.as_uri())
    WebDriverWait(driver, 20).until(lambda d: d.execute_script("return document.body.dataset.ready") == "true")
    yield driver
    errors = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []


def _text(page: Any, id: str) -> str:
    return str(page.find_element(By.ID, id).text)


def _search(page: Any, text: str) -> None:
    box = page.find_element(By.ID, "query")
    box.clear()
    box.send_keys(text)
    wanted = text.lower()
    WebDriverWait(page, 10).until(lambda d: all(wanted in row for row in _rows(d)) or ":" in text)


def _click(page: Any, element: Any) -> None:
    """Scroll to the middle and click, again where the scrolling had not settled."""

    def clicked(_: Any) -> bool:
        page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()
        return True

    WebDriverWait(page, 10, ignored_exceptions=[ElementClickInterceptedException]).until(clicked)


def _rows(page: Any) -> list[str]:
    script = "return [...document.querySelectorAll('#rows .id')].map(e => e.textContent.toLowerCase())"
    return list(page.execute_script(script))


def test_search_a_gene_and_choose_an_isoform(page: Any) -> None:
    assert _text(page, "found") == "230 loci"
    _search(page, "gene204")
    assert _rows(page) == ["gene204"]
    assert _text(page, "found") == "1 locus"
    page.find_element(By.ID, "query").send_keys(Keys.ENTER)
    WebDriverWait(page, 10).until(lambda d: _text(d, "locus-title") == "gene204")
    assert "chr1:205,001–205,320 (+) · differs" in _text(page, "locus-place")
    isoforms = page.find_elements(By.CSS_SELECTOR, "#stage g.iso")
    assert [iso.get_attribute("aria-label") for iso in isoforms] == [
        "reference isoform gene204.x, reference",
        "reference isoform gene204.y, reference",
        "predicted isoform gene204.t1, differs, 86 %",
    ]
    _click(page, isoforms[2])
    detail = _text(page, "detail")
    assert "gene204.t1" in detail
    assert "205,201–205,215, 15 bases: CDS of the reference isoform, missing" in detail
    assert page.find_element(By.CSS_SELECTOR, "#stage g.iso.chosen").get_attribute("data-row") == "2"
    assert page.current_url.endswith("#locus/ath/gene204")


def test_search_by_place_and_filter_by_outcome(page: Any) -> None:
    _search(page, "chr1:5,000-8,000")
    WebDriverWait(page, 10).until(lambda d: _rows(d) == ["gene004", "gene005", "gene006"])
    page.find_element(By.ID, "query").clear()
    page.find_element(By.CSS_SELECTOR, "#status option[value='3']").click()
    WebDriverWait(page, 10).until(lambda d: _text(d, "found") == "32 loci")
    assert _rows(page)[0] == "gene006"


def test_an_isoform_is_found_by_its_id(page: Any) -> None:
    page.find_element(By.ID, "query").send_keys("GENE003.y")
    WebDriverWait(page, 10).until(lambda d: _rows(d) == ["gene003"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zzz", "Nothing found for zzz: no gene, name or isoform of this page has it."),
        ("chr9:1-100", "Nothing found: there is no sequence chr9. There is chr1."),
        ("chr1:900,000-900,100", "Nothing found: no locus of this page lies in chr1:900,000-900,100."),
    ],
)
def test_nothing_found_is_said(page: Any, text: str, said: str) -> None:
    page.find_element(By.ID, "query").send_keys(text)
    WebDriverWait(page, 10).until(lambda d: _text(d, "found") == said)


@pytest.mark.parametrize("text", ["chr1 5000 8000", "CHR1:5000..8000", "chr1:8000-5000"])
def test_places_are_written_in_many_ways(page: Any, text: str) -> None:
    page.find_element(By.ID, "query").send_keys(text)
    WebDriverWait(page, 10).until(lambda d: _rows(d) == ["gene004", "gene005", "gene006"])


def test_neighbours_on_both_strands_are_drawn_and_open(page: Any) -> None:
    page.execute_script("location.hash = '#locus/ath/gene100'")
    WebDriverWait(page, 10).until(lambda d: _text(d, "locus-title") == "gene100")
    for _ in range(8):
        _click(page, page.find_element(By.ID, "zoom-out"))
    titles = page.execute_script("return [...document.querySelectorAll('.neighbour title')].map(e => e.textContent)")
    told = {title.split(",")[0] for title in titles}
    assert told == {"gene098 (+)", "gene099 (-)", "gene101 (-)", "gene102 (+)"}
    _click(page, page.find_element(By.CSS_SELECTOR, "#stage .neighbour polygon"))
    WebDriverWait(page, 10).until(lambda d: _text(d, "locus-title") == "gene098")


def test_the_shown_gene_is_saved_as_table_and_sequences(page: Any) -> None:
    page.execute_script("location.hash = '#locus/ath/gene000'")
    WebDriverWait(page, 10).until(lambda d: _text(d, "locus-title") == "gene000")
    for button in ("csv", "fasta"):
        _click(page, page.find_element(By.ID, button))
    table, sequences = page.downloads / "gene000.csv", page.downloads / "gene000.fa"
    WebDriverWait(page, 10).until(lambda _: table.exists() and sequences.exists())
    lines = table.read_text().splitlines()
    assert lines[1] == "gene000,ath,chr1,+,gene000.x,reference,,exon,1001,1100,100"
    assert any(line.startswith("gene000,ath,chr1,+,gene000.t1,predicted,0.9,CDS,") for line in lines)
    genome = "ACGT" * 1000
    first = sequences.read_text().split(">")[1:]
    found = {record.split("\n", 1)[0]: record.split("\n", 1)[1].replace("\n", "") for record in first}
    assert found["gene000 chr1:1001-1320(+)"] == genome[1000:1320]
    assert found["gene000.x CDS reference"] == genome[1010:1100] + genome[1200:1290]
    assert found["gene000.x protein reference"] == STANDARD.translate(genome[1010:1100] + genome[1200:1290]).rstrip("*")


def test_keyboard_alone_reaches_an_isoform_and_moves_the_view(page: Any) -> None:
    page.execute_script("document.querySelector('#stage').focus()")
    stage = page.switch_to.active_element
    before = page.find_element(By.CSS_SELECTOR, "#stage rect.box").get_attribute("width")
    stage.send_keys("+")
    after = page.find_element(By.CSS_SELECTOR, "#stage rect.box").get_attribute("width")
    assert float(after) > float(before)
    stage.send_keys("0")
    assert page.find_element(By.CSS_SELECTOR, "#stage rect.box").get_attribute("width") == before
    stage.send_keys(Keys.TAB)
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.find_elements(By.CSS_SELECTOR, "#stage g.iso.chosen")
    assert "exons" in _text(page, "detail")


def test_pages_keep_their_height(page: Any) -> None:
    height = page.execute_script("return document.querySelector('.rows').offsetHeight")
    first = _rows(page)
    _click(page, page.find_element(By.ID, "next"))
    assert _rows(page) != first
    _search(page, "gene229")
    assert page.execute_script("return document.querySelector('.rows').offsetHeight") == height
    assert page.find_element(By.ID, "next").get_property("disabled")


def test_probabilities_of_sites_are_drawn(page: Any) -> None:
    titles = page.execute_script("return [...document.querySelectorAll('#stage .site title')].map(e => e.textContent)")
    assert any(title.startswith("donor at ") and title.endswith("75 %") for title in titles)
    assert any(title.startswith("acceptor at ") and title.endswith("50 %") for title in titles)


def test_svg_is_downloaded_with_its_colours(page: Any) -> None:
    _click(page, page.find_element(By.ID, "download"))
    deadline = time.monotonic() + 15
    while not (found := list(page.downloads.glob("*.svg"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    text = found[0].read_text()
    assert text.startswith("<svg")
    assert "fill: rgb(" in text


@pytest.mark.parametrize("width", [400, 800, 1600])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_at_every_width(page: Any, width: int, theme: str) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    background = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    channels = [int(part) for part in background.removeprefix("rgb(").removesuffix(")").split(",")]
    assert (sum(channels) < 150) == (theme == "dark")
    button = page.find_element(By.ID, "theme")
    page.execute_script("arguments[0].click(); localStorage.removeItem('tg-theme')", button)
    assert page.execute_script("return getComputedStyle(document.body).backgroundColor") != background


@pytest.fixture(scope="module")
def report_with_changes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two samples and what changes between them, one gene with a long ID."""
    directory = tmp_path_factory.mktemp("changes")
    config = write_inputs(directory, count=12)
    (sample,) = config.annotations
    long = "AnAssemblyWithAVeryLongName_v1.2_scaffold_000000012_gene0007"
    rows = [
        DifferenceRow(
            gene=long if number == 3 else f"gene{number:03d}", event="exon_skipping", seqid="chr1",
            start=1000 * (number + 1) + 100, end=1000 * (number + 1) + 200, strand="-" if number % 2 else "+",
            condition="root", against="leaf", usage=0.9, usage_against=0.1 * number, deviation=0.1, reads=9,
            reads_against=number,
        )
        for number in range(10)
    ]  # fmt: skip
    write_differences(directory / "d.tsv", rows)
    config = replace(
        config,
        annotations=(sample, Source("leaf", sample.path)),
        differences=(Source(sample.sample, directory / "d.tsv"),),
    )
    return run(config).out


@pytest.mark.parametrize("width", [400, 1600])
def test_changes_are_read_at_every_width_in_both_themes(driver: Any, report_with_changes: Path, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get("about:blank")
    driver.get(report_with_changes.as_uri() + "#conditions")
    WebDriverWait(driver, 20).until(lambda d: d.execute_script("return document.body.dataset.ready") == "true")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    picture = "document.querySelector('#conditions svg.chart')"
    names = driver.execute_script(
        f"return [...{picture}.querySelectorAll('text.label')].map(t => "
        f"[t.textContent, t.getBoundingClientRect().height, t.getBoundingClientRect().left - "
        f"{picture}.getBoundingClientRect().left])"
    )
    assert len(names) == 10
    assert min(height for _, height, _ in names) > 10  # letters keep their size
    assert min(left for _, _, left in names) >= 0
    assert sum("gene0007" in text for text, _, _ in names) == 1
    script = """
      const paint = document.querySelector('#conditions .side svg rect');
      return getComputedStyle(paint).fill.match(/[0-9]+/g).map(Number).reduce((a, b) => a + b)"""
    paper = {}
    for theme in ("light", "dark"):
        driver.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
        paper[theme] = driver.execute_script(script)
    assert paper["light"] > 700
    assert paper["dark"] < 200


@pytest.fixture(scope="module")
def report_with_scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(scanned(tmp_path_factory.mktemp("scan"))).out


@pytest.mark.parametrize("width", [400, 1600])
def test_any_place_of_a_scanned_genome_opens_with_tracks_beneath(
    driver: Any, report_with_scan: Path, width: int
) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get("about:blank")
    driver.get(report_with_scan.as_uri() + "#place/ath/chr1%3A41701-41900")  # where no gene is
    WebDriverWait(driver, 20).until(lambda d: d.execute_script("return document.body.dataset.ready") == "true")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert _text(driver, "locus-title") == "chr1:41,701–41,900"
    assert "no gene in view" in _text(driver, "locus-place")
    WebDriverWait(driver, 10).until(lambda d: d.find_elements(By.CSS_SELECTOR, "path.signal.coding"))
    assert len(driver.find_elements(By.CSS_SELECTOR, "path.signal.coding")) == 1  # of the + strand alone
    for _ in range(12):
        driver.execute_script("document.getElementById('zoom-out').click()")
    assert "chr1:1–42,000 · both strands · 40 genes in view" in _text(driver, "locus-place")
    box = driver.find_element(By.ID, "query")
    box.send_keys("chr1:900-2,500" + Keys.ENTER)
    WebDriverWait(driver, 10).until(lambda d: "900–2,500" in _text(d, "locus-title"))
    assert "2 genes in view" in _text(driver, "locus-place")
    WebDriverWait(driver, 10).until(lambda d: len(d.find_elements(By.CSS_SELECTOR, "path.signal.coding")) == 2)
    _click(driver, driver.find_element(By.CSS_SELECTOR, "#stage .neighbour polygon"))
    WebDriverWait(driver, 10).until(lambda d: _text(d, "locus-title").startswith("gene000"))
    assert driver.find_elements(By.CSS_SELECTOR, "path.signal.coding")
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_text_stands_out_in_both_themes(page: Any) -> None:
    """WCAG AA: 4.5 between text and its background."""
    script = """
      const shade = (c) => { const v = c.match(/\\d+/g).slice(0, 3).map(x => x / 255)
        .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
        return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
      const style = getComputedStyle(document.documentElement), probe = document.createElement('i');
      document.body.append(probe);
      const colour = (name) => {
        probe.style.color = style.getPropertyValue(name);
        return shade(getComputedStyle(probe).color); };
      const out = {};
      for (const front of ['--ink', '--soft', '--faint', '--accent']) for (const back of ['--card', '--paper']) {
        const [a, b] = [colour(front), colour(back)].sort((x, y) => y - x);
        out[front + ' on ' + back] = (a + 0.05) / (b + 0.05);
      }
      probe.remove();
      return out;"""
    for theme in ("light", "dark"):
        page.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
        contrasts = page.execute_script(script)
        assert {name: value for name, value in contrasts.items() if value < 4.5} == {}


@pytest.fixture(scope="module")
def report_with_reads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("reads")
    return run(with_reads(write_inputs(directory, count=12), directory)).out


def test_reads_are_arcs_that_follow_the_chosen_condition(driver: Any, report_with_reads: Path) -> None:
    driver.get("about:blank")
    driver.get(report_with_reads.as_uri() + "#locus/ath/gene000")
    WebDriverWait(driver, 20).until(lambda d: d.execute_script("return document.body.dataset.ready") == "true")

    def arcs() -> dict[str, str]:
        script = """return [...document.querySelectorAll('#stage g.arc')]
            .map(g => [g.querySelector('title').textContent, g.className.baseVal])"""
        return dict(driver.execute_script(script))

    def counts() -> set[str]:
        return set(
            driver.execute_script("return [...document.querySelectorAll('#stage .count')].map(t => t.textContent)")
        )

    assert arcs() == {
        "intron 1,101–1,180, spliced by no isoform; reads: leaf 3, root 0": "arc unused",
        "intron 1,101–1,200, spliced by predicted; reads: leaf 1,200, root 34": "arc predicted",
        "intron 1,101–1,230, spliced by only reference; reads: leaf 0, root 7": "arc reference",
    }
    assert "1,234" in counts()
    driver.find_element(By.CSS_SELECTOR, "#condition option[value='1']").click()
    WebDriverWait(driver, 10).until(lambda d: len(arcs()) == 2)
    assert "34" in counts()
    head = [cell.text for cell in driver.find_elements(By.CSS_SELECTOR, "#isoforms thead th")]
    assert head[-2:] == ["leaf", "root"]
    cells = [cell.text for cell in driver.find_elements(By.CSS_SELECTOR, "#isoforms tbody tr:last-child td")]
    assert cells[-2:] == ["75 %", "–"]
    driver.execute_script("location.hash = '#locus/ath/gene001'")
    WebDriverWait(driver, 10).until(lambda d: _text(d, "locus-title") == "gene001")
    cells = [cell.text for cell in driver.find_elements(By.CSS_SELECTOR, "#isoforms tbody tr:last-child td")]
    assert cells[-2:] == ["50 % ?", "50 % ?"]
    assert "no read in view" in _text(driver, "stage")  # the choice of the root stays
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_without_evidence_there_is_no_choice_of_reads(page: Any) -> None:
    assert not page.find_element(By.ID, "reads").is_displayed()
    assert "Reads across introns" not in _text(page, "stage")


def test_nothing_is_requested_from_outside(page: Any) -> None:
    asked = [
        entry["message"] for entry in page.get_log("performance") if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert not [message for message in asked if '"url":"http' in message]


def test_the_end_of_a_long_id_stays_in_sight(driver: Any, tmp_path: Path) -> None:
    """Long IDs of one assembly differ at their end; at 400 pixels as at 1,600 it is read in list and drawing."""
    config = write_inputs(tmp_path, count=3)
    long = "AnAssemblyWithAVeryLongName_v1.2_scaffold_000000012_"
    for source in (*config.annotations, *config.references):
        text = source.path.read_text()
        source.path.write_text(re.sub(r"((?:ID|Parent|source_gene)=)gene", rf"\1{long}gene", text))
    page = run(config).out
    for width in (1600, 400):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get("about:blank")
        driver.get(page.as_uri())
        WebDriverWait(driver, 20).until(lambda d: d.execute_script("return document.body.dataset.ready") == "true")
        assert _rows(driver) == [f"{long}gene{number:03}".lower() for number in range(3)]
        # The tail lies inside its cell, and the head gives way.
        seen = driver.execute_script(
            "return [...document.querySelectorAll('#rows .id')].map(id => { const tail = id.querySelector('.tail');"
            " return [tail.textContent, tail.getBoundingClientRect().right <="
            " id.closest('th').getBoundingClientRect().right + 1] })"
        )
        assert all(inside and text.endswith(f"gene{number:03}") for number, (text, inside) in enumerate(seen))
        script = "return [...document.querySelectorAll('#stage g.iso text.name')].map(e => e.textContent)"
        names = driver.execute_script(script)
        assert len(names) == len(set(names))
        assert any(".t1" in name for name in names)
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
