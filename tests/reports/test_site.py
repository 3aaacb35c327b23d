"""The pages that `view` serves: all runs, every clip, one clip, comparisons and progress."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from screentest.harness.run_folder.store import open_run
from screentest.reports import serve as serving
from screentest.reports.site import PER_PAGE, NotFound, Site

from .conftest import HOSTILE, RED, build_run, make_suite

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Three runs, of which one has no summary yet and one no more than its name in common with a run."""
    folder = tmp_path_factory.mktemp("runs")
    for k, name in enumerate(("early", "late")):
        build_run(folder / name, shift=0.5 * k, suite=make_suite(15, 2))
        record = folder / name / "run.json"
        record.write_text(json.dumps({**json.loads(record.read_text()), "id": f"{k}" * 32}))
    (build_run(folder / "under way", suite=make_suite(), clips=False) / "summary.json").unlink()
    (folder / "broken").mkdir()
    (folder / "broken" / "run.json").write_text("{")
    return Site(folder)


def text(site: Site, path: str, **query: str) -> str:
    return site.answer(path, {name: [value] for name, value in query.items()}).body.decode()


def items_of(page: str) -> list[str]:
    return re.findall(r'/clip/([0-9a-f]{20,})"><code>', page)


def test_all_runs_are_listed_and_a_broken_one_is_a_sentence(site: Site) -> None:
    page = text(site, "/")
    for name in ("early", "late", "under way"):
        assert f'data-run="{name}"' in page
    assert 'href="/run/under%20way"' in page
    assert re.search(r'<p class="alert">[^<]*broken', page)


def test_every_clip_of_a_run_is_on_some_page(site: Site) -> None:
    first = text(site, "/run/early/clips")
    assert "30 of 30 items" in first
    assert "page 1 of 2" in first
    second = text(site, "/run/early/clips", page="2")
    seen = [*items_of(first), *items_of(second)]
    assert len(items_of(first)) == PER_PAGE
    assert seen == [item.id for item in open_run(site.folder / "early").items()]
    assert items_of(text(site, "/run/early/clips", page="99")) == items_of(second)


def test_clips_are_chosen_and_sorted(site: Site) -> None:
    assert len(items_of(text(site, "/run/early/clips", outcome="refused"))) == 1
    assert len(items_of(text(site, "/run/early/clips", tag="red"))) == 4
    assert len(items_of(text(site, "/run/early/clips", words="TAKE 3"))) == 2
    values = {s.item: s.value for s in open_run(site.folder / "early").scores() if s.measure == "motion.jerk"}
    worst = items_of(text(site, "/run/early/clips", measure="motion.jerk"))
    known = [values[item] for item in worst if values[item] is not None]
    assert known == sorted(known, reverse=True)  # less jerk is better
    best = items_of(text(site, "/run/early/clips", measure="motion.jerk", order="best"))
    assert values[best[0]] == min(v for v in values.values() if v is not None)


def test_what_is_hostile_or_an_attack_stays_text_behind_a_click(site: Site) -> None:
    page = text(site, "/run/early/clips")
    assert "<script>alert(1)</script>" not in page
    assert HOSTILE not in page
    red = next(item for item in open_run(site.folder / "early").items() if item.prompt == RED)
    card = next(part for part in page.split("<article") if red.id in part)
    assert '<details class="prompt">' in card
    assert '<details class="hidden-clip">' in card
    assert items_of(text(site, "/run/early/clips", words="terrible device")) == []


def test_a_clip_opens_at_its_frame(site: Site) -> None:
    item = open_run(site.folder / "early").items()[0].id
    page = text(site, f"/run/early/clip/{item}", frame="4")
    assert re.search(r'<video[^>]* data-at="0\.66', page)
    assert 'id="frame" type="number" min="0" max="5" value="4"' in page
    assert 'value="5"' in text(site, f"/run/early/clip/{item}", frame="999")
    assert 'value="0"' in text(site, f"/run/early/clip/{item}", frame="-3; drop")
    video = site.answer(f"/run/early/video/{item}.mp4", {})
    assert video.kind == "video/mp4"
    assert video.body[4:8] == b"ftyp"


def test_progress_counts_what_is_there(site: Site) -> None:
    told = json.loads(site.answer("/progress", {}).body)
    assert told["early"] == {"items": 30, "clips": 30, "finished": True}
    assert told["under way"]["finished"] is False
    assert "has no summary yet" in text(site, "/run/under way")


def test_a_run_s_own_page_is_served_while_it_is_current(site: Site) -> None:
    from screentest.reports.build import build_report

    page = build_report([site.folder / "early"])
    assert site.answer("/run/early", {}).body == page.read_bytes()


def test_two_runs_are_compared_and_one_is_not(site: Site) -> None:
    page = site.answer("/compare", {"run": ["early", "late"]}).body.decode()
    assert "Paired differences" in page
    with pytest.raises(NotFound, match="two runs or more"):
        site.answer("/compare", {"run": ["early", "early"]})
    with pytest.raises(NotFound, match="no run gone"):
        site.answer("/compare", {"run": ["early", "gone"]})


@pytest.mark.parametrize(
    "path",
    ["/run/gone", "/run/early/run.sqlite", "/run/early/clip/none", "/run/early/video/none.mp4", "/clips",
     "/run", "/run/early/clips/more"],
)  # fmt: skip
def test_nothing_else_is_served(site: Site, path: str) -> None:
    with pytest.raises(NotFound):
        site.answer(path, {})


@pytest.fixture
def address(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the site in a thread and give its address."""
    made: list[ThreadingHTTPServer] = []
    ready = threading.Event()

    class Server(ThreadingHTTPServer):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr(serving, "ThreadingHTTPServer", Server)
    said: list[str] = []

    def on_ready(url: str) -> None:
        said.append(url)
        ready.set()

    thread = threading.Thread(target=serving.serve, args=(site, 0, on_ready))
    thread.start()
    assert ready.wait(20)
    yield said[0]
    made[0].shutdown()
    thread.join(20)


def test_addresses_do_not_leave_the_folder_and_hosts_are_checked(address: str, site: Site) -> None:
    for path in ("run/..%2f..%2fetc/clips", "run/%2e%2e/clips", "run/early/video/..%2frun.sqlite"):
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(address + path, timeout=20)
        refused.value.close()
    for path in ("", "run/early/clips", "progress"):
        asked = urllib.request.Request(address + path, headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="421") as refused:
            urllib.request.urlopen(asked, timeout=20)
        refused.value.close()
    item = open_run(site.folder / "early").items()[0].id
    whole = site.answer(f"/run/early/video/{item}.mp4", {}).body
    for asked_range, part in (("bytes=0-9", whole[:10]), ("bytes=-5", whole[-5:]), ("bytes=7-", whole[7:])):
        asked = urllib.request.Request(f"{address}run/early/video/{item}.mp4", headers={"Range": asked_range})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            assert (answer.status, answer.read()) == (206, part)
    asked = urllib.request.Request(f"{address}run/early/video/{item}.mp4", headers={"Range": "bytes=9-2"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        assert (answer.status, answer.read()) == (200, whole)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize(
    "path", ["", "#late", "run/early/clips?measure=motion.jerk", "run/under%20way", "CLIP"]
)
def test_a_browser_has_no_complaint(address: str, site: Site, tmp_path: Path, path: str) -> None:
    assert CHROMIUM is not None
    item = open_run(site.folder / "early").items()[0].id
    path = path.replace("CLIP", f"run/early/clip/{item}?frame=4")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", f"--user-data-dir={tmp_path}",
            "--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom", address + path,
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if ":CONSOLE" in line] == []
    if path == "#late":
        assert "1 of 4 runs" in done.stdout or "1 of 3 runs" in done.stdout
    if "under" in path:
        assert "10 of 10" in done.stdout  # of the progress that was asked for
