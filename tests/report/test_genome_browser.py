"""The folder for JBrowse 2 and IGV: sorted, indexed, and opened by both in a headless Chromium, from a server."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyBigWig
import pysam
import pytest

from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.report.config import Source
from transgenic_tools.report.genome_browser import BrowserConfig, write_browser_folder

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / ".cache" / "browsers"
#: Out of order, with a gene on each strand, and one on a second sequence that stands first in the file.
LINES = """##gff-version 3
chr2\tx\tgene\t11\t40\t.\t+\t.\tID=away
chr2\tx\tmRNA\t11\t40\t.\t+\t.\tID=away.t;Parent=away
chr2\tx\tCDS\t11\t40\t.\t+\t0\tID=away.c;Parent=away.t
chr1\tx\tgene\t1001\t1300\t.\t-\t.\tID=late;Name=LATE
chr1\tx\tmRNA\t1001\t1300\t.\t-\t.\tID=late.t;Parent=late
chr1\tx\tCDS\t1001\t1300\t.\t-\t0\tID=late.c;Parent=late.t
chr1\tx\tgene\t201\t600\t.\t+\t.\tID=early;Name=EARLY
chr1\tx\tmRNA\t201\t600\t.\t+\t.\tID=early.t;Parent=early
chr1\tx\tCDS\t201\t300\t.\t+\t0\tID=early.c;Parent=early.t
chr1\tx\tCDS\t401\t600\t.\t+\t2\tID=early.c;Parent=early.t
"""
GTF = "".join(
    f'chr1\tx\t{kind}\t201\t600\t.\t+\t{phase}\tgene_id "g"; gene_name "OLD1"; transcript_id "t";\n'
    for kind, phase in (("transcript", "."), ("exon", "."), ("CDS", "0"))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    inputs = tmp_path_factory.mktemp("inputs")
    (inputs / "g.fa").write_text(f">chr1 first\n{'ACGTTGCA' * 250}\n>chr2\n{'ACGT' * 25}\n")
    (inputs / "a.gff3").write_text(LINES)
    (inputs / "r.gtf").write_text(GTF)
    track = pyBigWig.open(str(inputs / "sites.bw"), "w")
    track.addHeader([("chr1", 2000)])
    track.addEntries(["chr1", "chr1"], [300, 399], ends=[301, 400], values=[0.5, 0.75])
    track.close()
    out = tmp_path_factory.mktemp("site") / "jbrowse"
    write_browser_folder(
        BrowserConfig(
            annotations=(Source("ath", inputs / "a.gff3"),),
            fasta=(Source("ath", inputs / "g.fa"),),
            references=(Source("ath", inputs / "r.gtf"),),
            tracks=(Source("ath", inputs / "sites.bw"),),
            out=out,
        )
    )
    return out


def uris(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["uri"]] if "uri" in value else [])
        for one in value.values():
            yield from uris(one)
    elif isinstance(value, list):
        for one in value:
            yield from uris(one)


def test_all_files_that_the_settings_name_are_there(folder: Path) -> None:
    settings = json.loads((folder / "config.json").read_text())
    session = json.loads((folder / "ath.igv.json").read_text())
    named = set(uris(settings)) | {track["url"] for track in session["tracks"]}
    named |= {session["reference"][key] for key in ("fastaURL", "indexURL", "compressedIndexURL")}
    assert {"ath.fa.gz", "ath.gff3.gz", "ath.gff3.gz.tbi", "ath.reference.gff3.gz", "ath.track.bw"} <= named
    assert all((folder / name).is_file() for name in named)
    desktop = ElementTree.parse(folder / "ath.igv.xml").getroot()
    assert all((folder / resource.attrib["path"]).is_file() for resource in desktop.iter("Resource"))
    assert desktop.attrib["genome"] == "ath.fa.gz"
    # It opens at the first spliced gene of the first sequence of the genome.
    assert desktop.attrib["locus"] == session["locus"] == "chr1:21-780"
    [view] = settings["defaultSession"]["views"]
    assert view["init"]["tracks"] == [track["trackId"] for track in settings["tracks"]]


def test_lines_are_sorted_as_the_genome_and_found_by_place(folder: Path) -> None:
    with pysam.TabixFile(str(folder / "ath.gff3.gz")) as file:
        assert file.contigs == ["chr1", "chr2"]
        kept = [line for line in LINES.splitlines() if not line.startswith("#")]
        rows = [line for seqid in file.contigs for line in file.fetch(seqid)]
        assert sorted(rows) == sorted(kept)
        assert [line.split("\t")[2] for line in file.fetch("chr1", 1000, 1001)] == ["gene", "mRNA", "CDS"]
    with pysam.TabixFile(str(folder / "ath.reference.gff3.gz")) as file:
        gene = next(file.fetch("chr1"))
    assert gene.split("\t")[2:5] == ["gene", "201", "600"]
    assert "Name=OLD1" in gene
    with pysam.FastaFile(str(folder / "ath.fa.gz")) as fasta:
        assert fasta.fetch("chr2", 0, 8) == "ACGTACGT"


def test_an_annotation_of_another_genome_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.gff3").write_text(LINES.replace("chr1", "chr9").replace("chr2", "chr8"))
    given = Source("ath", tmp_path / "a.gff3")
    config = BrowserConfig(annotations=(given,), fasta=(Source("ath", folder / "ath.fa.gz"),), out=tmp_path / "out")
    with pytest.raises(BadInputError, match="no gene lies on the genome; gene away is on chr8"):
        write_browser_folder(config)
    assert not (tmp_path / "out" / "config.json").exists()
    (tmp_path / "a.gff3").write_text(LINES.replace("chr2", "chr8"))
    write_browser_folder(config)
    assert b"chr8" not in gzip.decompress((tmp_path / "out" / "ath.gff3.gz").read_bytes())
    with pytest.raises(UsageError, match="'ath' has no genome"):
        BrowserConfig(annotations=(given,), fasta=(), out=tmp_path)


# -- in a browser -----------------------------------------------------------------------------------------------------

JBROWSE = """<!doctype html><meta charset="utf-8"><div id="root"></div><script src="/react-app.umd.production.min.js">
</script><script>(async () => {
  const where = new URL('/jbrowse/config.json', location.href).href, config = await (await fetch(where)).json()
  // What jbrowse-web does to a configuration that it loads: places are relative to it.
  const place = value => { if (value && typeof value === 'object') {
    if (value.uri) value.baseUri = where; Object.values(value).forEach(place) } }
  place(config)
  const { createRoot, createViewState, JBrowseApp, React } = JBrowseReactApp
  const root = createRoot(document.getElementById('root'))
  root.render(React.createElement(JBrowseApp, { viewState: createViewState({ config }) }))
})()</script>"""
IGV = """<!doctype html><meta charset="utf-8"><div id="root"></div><script src="/igv.min.js"></script><script>
(async () => {
  const where = new URL('/jbrowse/ath.igv.json', location.href).href, session = await (await fetch(where)).json()
  for (const one of [session.reference, ...session.tracks])
    for (const key of Object.keys(one)) if (/url$/i.test(key)) one[key] = new URL(one[key], where).href
  session.loadDefaultGenomes = false
  window.igvBrowser = await igv.createBrowser(document.getElementById('root'), session)
})()</script>"""


class Ranges(SimpleHTTPRequestHandler):
    """A server of files that answers requests for parts, as any web server does and http.server does not."""

    def do_GET(self) -> None:
        path, wanted = Path(self.translate_path(self.path)), re.match(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        if wanted is None or not path.is_file():
            return super().do_GET()
        data = path.read_bytes()
        start, end = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
        part = data[start : end + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)
        return None

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a server of a folder beside whose `jbrowse/` the two browsers lie."""
    if not (SCRIPTS / "igv.min.js").is_file():
        pytest.skip("JBrowse 2 and igv.js are not there (bin/bootstrap browsers)")
    for script in SCRIPTS.glob("*.js"):
        shutil.copy(script, folder)
    (folder / "jbrowse.html").write_text(JBROWSE)
    (folder / "igv.html").write_text(IGV)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's, headless."""
    program = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs Debian's chromium and chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1400,900",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with served(folder.parent) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as chrome:
        yield chrome


def local_errors(browser: Any, site: str) -> list[str]:
    """What went wrong with our own files (igv.js asks its makers for a list of genomes, which is not to be had)."""
    return [
        entry["message"]
        for entry in browser.get_log("browser")
        if entry["level"] == "SEVERE" and site in entry["message"] and "igv.org" not in entry["message"]
        and "favicon" not in entry["message"]
    ]  # fmt: skip


def shown_by_jbrowse(browser: Any, site: str, *names: str) -> str:
    """What stands on the page once all of the names do."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(f"{site}/jbrowse.html")

    def text(_: Any) -> str:
        return str(browser.execute_script("return document.body.innerText"))

    WebDriverWait(browser, 60).until(lambda page: all(name in text(page) for name in names))
    return text(browser)


@pytest.mark.browser
@pytest.mark.slow
def test_jbrowse_shows_the_genes(site: str, browser: Any) -> None:
    said = shown_by_jbrowse(browser, site, "EARLY", "OLD1")
    assert "Prediction (ath)" in said
    assert "sites (ath)" in said
    assert local_errors(browser, site) == []


@pytest.mark.browser
@pytest.mark.slow
def test_igv_shows_the_genes(site: str, browser: Any) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(f"{site}/igv.html")
    WebDriverWait(browser, 60).until(lambda d: d.execute_script("return Boolean(window.igvBrowser)"))
    ask = """
        const done = arguments[arguments.length - 1], tracks = igvBrowser.findTracks(t => t.name && t.getFeatures);
        Promise.all(tracks.filter(t => /ath/.test(t.name)).map(async t =>
            [t.name, (await t.getFeatures('chr1', 0, 800, 1)).length])).then(done, e => done(String(e)))"""
    found = dict(browser.execute_async_script(ask))
    assert found["Prediction (ath)"] == 1
    assert found["Reference (ath)"] == 1
    assert found["sites (ath)"] == 2
    assert local_errors(browser, site) == []
