"""Measure how fast the Usage page is there, in Debian's Chromium on loopback.

    python -m benchmarks.page [--times 20]

Each time is a new profile of the browser, so that nothing is cached there. Panels are timed from the click that follows
the pasted key. The service has answered once before.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from playwright.sync_api import Browser, sync_playwright

from benchmarks.serving import served
from pipeline.contract.calendar import rfc3339
from pipeline.contract.formats import instant
from pipeline.contract.settings import Settings
from pipeline.run import run
from pipeline.sample.cast import Plan
from pipeline.sample.generate import write

_CHROMIUM: Final = "/usr/bin/chromium"
_NOW: Final = instant("2026-11-24T12:00:00Z")
_EVENTS: Final = 20_000
# Watches from the first instant of the page: when panels fill, what moves, and what blocks.
_WATCH: Final = """
window.seen = {panel: 0, all: 0, painted: 0, moved: 0, longest: 0};
let start = 0;
addEventListener("submit", () => { start = performance.now(); }, true);
const watch = (type, take) =>
  new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({type, buffered: true});
watch("paint", (one) => { if (one.name === "first-contentful-paint") seen.painted = one.startTime; });
watch("layout-shift", (one) => { seen.moved += one.hadRecentInput ? 0 : one.value; });
watch("longtask", (one) => { seen.longest = Math.max(seen.longest, one.duration); });
new MutationObserver(() => {
  if (!seen.panel && document.querySelector("#tile-credits")) seen.panel = performance.now() - start;
  const all = ["#tile-credits", "#credits p", "#days .bar", "#buckets .bar", "#languages tbody tr", ".feed li"];
  if (!seen.all && all.every((one) => document.querySelector(one))) seen.all = performance.now() - start;
}).observe(document, {childList: true, subtree: true});
"""


class Seen(msgspec.Struct, frozen=True):
    """One visit, in milliseconds: since the address was entered, or the key; `moved` is the cumulative layout shift."""

    painted: float
    panel: float
    all: float
    moved: float
    longest: float


def visits(browser: Browser, url: str, key: str, times: int) -> Iterator[Seen]:
    """Yield what each of some visits saw; the first one only warms up."""
    for number in range(times + 1):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="Asia/Kathmandu")
        page = context.new_page()
        page.add_init_script(_WATCH)
        page.goto(f"{url}/usage/")
        page.locator("#key").fill(key)
        page.locator("#sign-in button").click()
        page.locator("#figures[aria-busy=false]").wait_for()
        page.locator(".feed li").first.wait_for()
        if number:
            yield msgspec.convert(page.evaluate("seen"), Seen, strict=False)
        context.close()


def main(times: int) -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder)
        sample = write(root, Plan(now=_NOW, events=_EVENTS))
        run(Settings.read({}, data_dir=root), _NOW)
        with served(root, rfc3339(_NOW)) as process:
            browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            found = list(visits(browser, process.url, sample.key, times))
            browser.close()
    sys.stdout.write("| | median | longest |\n|---|---|---|\n")
    for name, title in (
        ("painted", "from the address to the first paint"),
        ("panel", "from the key to the first panel"),
        ("all", "from the key to all panels"),
        ("longest", "longest task"),
    ):
        values = sorted(getattr(seen, name) for seen in found)
        sys.stdout.write(f"| {title} | {median(values):.0f} ms | {values[-1]:.0f} ms |\n")
    sys.stdout.write(f"| cumulative layout shift | {median(seen.moved for seen in found):.3f} | |\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="visits")
    main(parser.parse_args().times)
