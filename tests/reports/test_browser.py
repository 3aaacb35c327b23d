"""The page in a real browser: no complaint from it, and a script that does what it says."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from screentest.reports.heatmap import heat_shades

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]


def _open(page: Path, profile: Path) -> tuple[str, list[str]]:
    """Return the document after its scripts, and the lines that the console got."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}",
            "--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


PAGES = ["one_page", "two_page", "attack_page", "attack_pages"]


@pytest.mark.parametrize("which", PAGES)
def test_browser_has_no_complaint(request: pytest.FixtureRequest, which: str, tmp_path: Path) -> None:
    document, console = _open(request.getfixturevalue(which), tmp_path)
    assert console == []
    assert '<html lang="en" class="js">' in document
    assert re.search(r'id="play" aria-pressed="(true|false)">(Pause|Play) all', document)


def test_policy_blocks_a_script_that_is_not_the_pages_own(one_page: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        one_page.read_text("utf-8").replace("</body>", "<script>document.title='in'</script></body>")
    )
    document, console = _open(page, tmp_path / "profile")
    assert "<title>in</title>" not in document
    assert any("Content Security Policy" in line for line in console)


_PROBE = """
const set = (id, value) => {
  const e = document.getElementById(id);
  e.value = value;
  e.dispatchEvent(new Event("input", {bubbles: true}));
};
const shown = () => [...document.querySelectorAll(".card:not([hidden])")].map((c) => c.dataset.id);
const out = {};
const data = JSON.parse(document.getElementById("data").textContent);
set("sort", "motion.jerk"); set("order", "worst");
out.worst = shown().map((id) => data.values[id].A["motion.jerk"] ?? null);
set("order", "best");
out.best = shown().map((id) => data.values[id].A["motion.jerk"] ?? null);
set("tag", "<b>bold</b>"); out.tagged = shown().length; set("tag", "");
set("outcome", "refused"); out.refused = shown().length; set("outcome", "");
set("text", "SQUARE"); out.found = shown().length;
set("text", "terrible"); out.secret = shown().length; set("text", "");
document.querySelector(".toggle").click();
out.open = document.querySelectorAll("tbody.open").length;
document.getElementById("expand").click();
out.all = document.querySelectorAll("tbody.open").length;
document.title = JSON.stringify(out);
"""


def _probed(page: Path, probe: str, folder: Path) -> dict[str, Any]:
    """Run a script in the page, and read the object that it leaves in the title."""
    copy = folder / "page.html"
    without = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text("utf-8"))
    copy.write_text(without.replace("</body>", f"<script>{probe}</script></body>"))
    document, console = _open(copy, folder / "profile")
    assert console == []
    match = re.search(r"<title>(\{.*?\})</title>", document)
    assert match is not None
    return json.loads(match[1])


def test_clips_sort_and_filter(two_page: Path, tmp_path: Path) -> None:
    out = _probed(two_page, _PROBE, tmp_path)
    known = [v for v in out["worst"] if v is not None]
    assert len(known) == 8
    assert known == sorted(known, reverse=True)  # less jerk is better
    assert out["worst"][8:] == [None, None]  # a clip without a value is never first
    assert out["best"] == [*sorted(known), None, None]
    assert (out["tagged"], out["refused"], out["found"], out["secret"]) == (2, 1, 6, 0)
    assert (out["open"], out["all"]) == (1, 5)


_WIDTHS = """
addEventListener("load", () => {
  const inside = document.querySelector("iframe").contentWindow;
  const seen = [...inside.document.querySelectorAll("main *, header *")];
  const free = seen.filter((e) => !e.closest(".scroll, svg, .visually-hidden"));
  const wide = free.filter((e) => e.getBoundingClientRect().right > 401);
  const whole = inside.document.documentElement.scrollWidth;
  document.title = JSON.stringify({
    inner: inside.innerWidth, whole, seen: seen.length, wide: wide.map((e) => e.outerHTML)
  });
});
"""


@pytest.mark.parametrize("which", PAGES)
def test_a_page_of_400_pixels_does_not_scroll_sideways(
    request: pytest.FixtureRequest, which: str, tmp_path: Path
) -> None:
    held = html.escape(request.getfixturevalue(which).read_text("utf-8"))
    frame = tmp_path / "frame.html"  # the browser's own window may not be as narrow
    frame.write_text(f"<body><iframe style='border: 0' width=400 height=900 srcdoc='{held}'></iframe></body>")
    out = _probed(frame, _WIDTHS, tmp_path)
    assert out["wide"] == []
    assert out["seen"] > 100
    assert out["inner"] == 400
    assert out["whole"] <= 400


_SHADES = """
const colour = (e) => getComputedStyle(e).backgroundColor;
const cells = [...document.querySelectorAll("table.heat td")];
document.title = JSON.stringify({
  shades: Object.fromEntries(cells.map((e) => [e.className.split(" ").pop(), colour(e)])),
  prompts: [...document.querySelectorAll("details.prompt")].filter((e) => e.open).length,
  playing: [...document.querySelectorAll(".hidden-clip video")].filter((e) => !e.paused).length,
});
"""


def test_shades_are_in_the_page_and_what_is_hazardous_is_closed(attack_page: Path, tmp_path: Path) -> None:
    out = _probed(attack_page, _SHADES, tmp_path)
    light = {f"heat-{k}": shade for k, shade in enumerate(heat_shades()[0])}
    for name, shown in out["shades"].items():
        red, green, blue = (int(part) for part in re.findall(r"\d+", shown)[:3])
        assert f"#{red:02x}{green:02x}{blue:02x}" == light[name]
    assert len(out["shades"]) == 3
    assert (out["prompts"], out["playing"]) == (0, 0)
