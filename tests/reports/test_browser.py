"""The page in a real browser: no complaint from it, and a script that does what it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("which", ["one_page", "two_page"])
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


def test_clips_sort_and_filter(two_page: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    html = two_page.read_text("utf-8")
    without = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    page.write_text(without.replace("</body>", f"<script>{_PROBE}</script></body>"))
    document, console = _open(page, tmp_path / "profile")
    assert console == []
    match = re.search(r"<title>(\{.*?\})</title>", document)
    assert match is not None
    out = json.loads(match[1])
    known = [v for v in out["worst"] if v is not None]
    assert len(known) == 8
    assert known == sorted(known, reverse=True)  # less jerk is better
    assert out["worst"][8:] == [None, None]  # a clip without a value is never first
    assert out["best"] == [*sorted(known), None, None]
    assert (out["tagged"], out["refused"], out["found"], out["secret"]) == (2, 1, 6, 0)
    assert (out["open"], out["all"]) == (1, 5)
