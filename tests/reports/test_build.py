"""The page as a whole: what it shows, what it never shows, and that it holds everything itself."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.results.summary import summarise, write_summary
from screentest.harness.run_folder.store import open_run
from screentest.reports.build import ReportOptions, build_report

from .conftest import HOSTILE, RED, MakeRun, make_suite


class Page(HTMLParser):
    """Every tag with its attributes, and the text of scripts and of the rest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words: list[str] = []
        self._open: dict[str, str | None] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._open = {"tag": tag, **dict(attrs)}

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is None:
            self.words.append(data)
        else:
            self.scripts.append((self._open, data))

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def _page(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


def test_one_run_shows_scores_outcomes_and_reasons(make_run: MakeRun) -> None:
    folder = make_run()
    path = build_report([folder])
    assert path == folder / "report.html"
    text = _page(path).text
    for expected in (
        "tiny v3",
        "reference:early",
        "4 March 2026",
        "fidelity.fvd",
        "55, 71",
        "8 (4), reference 64",
    ):
        assert expected in text
    assert "fewer than the 16 dimensions" in text
    assert "1 refused, 1 failed" in text
    assert "HTTP 503 after <3> tries" in text
    assert "Paired differences" not in text
    assert "Verdict" not in text


def test_missing_value_is_a_dash_with_its_reason(one_page: Path) -> None:
    html = one_page.read_text("utf-8")
    row = re.search(r'<tr><th scope="row">.{0,200}text\.legible.*?</tr>', html, re.DOTALL)
    assert row is not None
    cells = Page(row[0]).text
    assert "—" in cells
    assert "not applicable: the prompt asks for no words" in cells
    assert not re.search(r"\b0\.\d|\b0 (?!\(0\))", cells.split("↑")[1])


def test_prompts_are_inert(one_page: Path) -> None:
    page = _page(one_page)
    html = one_page.read_text("utf-8")
    assert "<script>alert" not in html
    assert HOSTILE in page.text  # shown as it is, and escaped
    assert not [tag for tag, attrs in page.tags if tag == "img" or "onerror" in attrs]
    assert "49" not in re.findall(r"\{\{ 7\*7 \}\}|49 &amp; http", html)
    assert "<b>" not in html
    assert len(page.scripts) == len([t for t, _ in page.tags if t in ("script", "style")])


def test_page_refers_to_nothing_outside_it(two_page: Path) -> None:
    page = _page(two_page)
    fetching = {"src", "href", "srcset", "poster", "data", "action", "formaction", "xlink:href", "background"}
    for tag, attrs in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "audio")
        assert not attrs.get("style"), "a style attribute would be blocked by the policy"
        assert not [name for name in attrs if name.startswith(("on", "xmlns"))]
        for name in fetching & set(attrs):
            assert (attrs[name] or "").startswith(("#", "data:video/mp4;base64,")), (tag, name)
    for attrs, text in page.scripts:
        if attrs.get("type") != "application/json":
            assert "://" not in text
            assert "url(" not in text
            assert "@import" not in text


def test_policy_allows_the_pages_own_script_and_style_by_hash(two_page: Path) -> None:
    page = _page(two_page)
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "unsafe" not in policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for attrs, text in page.scripts:
        if attrs.get("type") != "application/json":
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in rules[f"{attrs['tag']}-src"]


def test_same_runs_give_the_same_bytes(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run(), make_run("late", shift=0.5)]
    first = build_report(runs, out=tmp_path / "one.html").read_bytes()
    assert build_report(runs, out=tmp_path / "two.html").read_bytes() == first


def test_red_team_prompts_and_flagged_clips_stay_behind_a_click(one_page: Path) -> None:
    html = one_page.read_text("utf-8")
    behind = re.compile(r"<details.*?</details>", re.DOTALL)
    assert RED in html
    assert RED not in behind.sub("", html)
    # Not even behind a click in a reason that quotes it, nor where the script could search for it.
    assert html.count(RED) == html.count('<details class="prompt">')
    assert "the filter blocked &#39;[prompt withheld]&#39;" in html
    assert "category:weapons" in html
    flagged = [part for part in behind.findall(html) if "Flagged by safety.nudity" in part]
    assert len(flagged) == 1
    assert "data-manual" in flagged[0]


def test_outcomes_show_in_place(one_page: Path) -> None:
    text = _page(one_page).text
    assert "refused: the filter blocked '[prompt withheld]'" in text
    assert "failed: HTTP 503 after <3> tries" in text


@pytest.mark.parametrize("items", [0, 3, 100])
def test_number_of_clips_is_limited_and_said(make_run: MakeRun, items: int) -> None:
    page = _page(build_report([make_run()], options=ReportOptions(items=items)))
    cards = [a for t, a in page.tags if t == "article"]
    assert len(cards) == min(items, 10)
    videos = [a for t, a in page.tags if t == "video"]
    assert f"Shown are {len(cards)} of 10 items, with {len(videos)} of 8 clips" in page.text
    for video in videos:
        assert "muted" in video
        assert "loop" in video
        assert "controls" in video
        assert "autoplay" not in video


def test_size_of_clips_is_limited(make_run: MakeRun) -> None:
    folder = make_run()
    page = _page(build_report([folder], options=ReportOptions(megabytes=0.006)))
    sizes = [len(a["src"] or "") for t, a in page.tags if t == "video"]
    assert 0 < sum(sizes) <= 6000
    assert "not embedded: the page has reached its size limit" in page.text


def test_clip_that_cannot_be_read_says_so(make_run: MakeRun) -> None:
    folder = make_run()
    for clip in (folder / "clips").iterdir():
        clip.write_bytes(b"not a video")
    page = _page(build_report([folder]))
    assert not [t for t, _ in page.tags if t == "video"]
    assert "\N{EM DASH} cannot be shown" in page.text
    assert str(folder) not in page.text


def test_what_is_to_be_known_of_a_file_stands_beside_its_clip(make_run: MakeRun) -> None:
    folder = make_run()
    store = open_run(folder)
    noted = [
        replace(record, info=replace(record.info, notes=("it is interlaced", "25 a second are assumed")))
        for record in store.clips().values()
        if record.info is not None
    ]
    store.put_unit(noted, [])
    assert {record.info.notes for record in store.clips().values() if record.info} == {
        ("it is interlaced", "25 a second are assumed")
    }
    page = _page(build_report([folder]))
    assert "The file: it is interlaced." in page.text
    assert "The file: 25 a second are assumed." in page.text


def test_the_page_names_the_users_files_the_encoders_and_those_outside_their_world(make_run: MakeRun) -> None:
    folder = make_run()
    store = open_run(folder)
    rows = store.rows("SELECT id, fields FROM items ORDER BY position")
    with sqlite3.connect(folder / "run.sqlite") as database:
        for number, (item, fields) in enumerate(rows):
            named = json.dumps({**json.loads(fields), "file": f"mine/clip <{number}>.mp4"})
            database.execute("UPDATE items SET fields = ? WHERE id = ?", (named, item))
    database.close()
    store.put_measure(
        "alignment.clip", {**store.measures()["alignment.clip"], "sources": {"clip": "reference"}}
    )
    write_summary(store, summarise(store))
    store.close()
    record = json.loads((folder / "run.json").read_text())
    page = _page(build_report([folder]))
    assert "file mine/clip <0>.mp4" in page.text
    assert "clip=reference" in page.text
    outside = "clip=reference was trained on the reference world"
    assert (outside in page.text) == (not record["generator_spec"].startswith("reference"))
    (folder / "run.json").write_text(json.dumps({**record, "world": None}))
    assert outside in _page(build_report([folder])).text
    (folder / "run.json").write_text(json.dumps({**record, "world": "reference"}))
    assert outside not in _page(build_report([folder])).text


def test_two_runs_are_side_by_side_with_their_differences(two_page: Path) -> None:
    page = _page(two_page)
    assert "Paired differences" in page.text
    assert "B − A" in page.text
    assert "✕ worse" in page.text
    assert "no item has a value in both runs" in page.text
    slots = [a for t, a in page.tags if t == "figure" and a.get("class") == "slot"]
    assert len(slots) == 2 * len([t for t, _ in page.tags if t == "article"])


def test_runs_of_two_suites_are_shown_and_not_compared(make_run: MakeRun) -> None:
    other = make_suite().model_copy(update={"name": "other"})
    runs = [make_run(clips=False), make_run("late", suite=other, clips=False)]
    text = _page(build_report(runs, options=ReportOptions(items=0))).text
    assert "The runs were not compared" in text
    assert "Paired differences" not in text


def test_three_runs_have_a_column_each(make_run: MakeRun) -> None:
    runs = [make_run(n, clips=False) for n in ("a", "b", "c")]
    page = _page(build_report(runs, options=ReportOptions(items=0)))
    assert "■ B b" in page.text
    assert "◆ C c" in page.text
    assert "Comparison of 3 runs" in page.text
    assert "Paired differences from a" in page.text
    assert "B − A" not in page.text


def _verdict(**more: Any) -> dict[str, Any]:
    rule = {
        "rule": "safety.nudity", "measure": "safety.nudity", "asks": "at most 0.05", "outcome": "FAIL",
        "value": 0.12, "bound": 0.4, "limit": 0.05, "n": 8, "waiver": None,
        "sentence": "safety.nudity is <0.12>",
    }  # fmt: skip
    return {"verdict": "FAIL", "sentence": "FAIL: 1 failed", "policy": "release v1", "rules": [rule], **more}


def test_verdict_of_the_run_folder_is_shown(make_run: MakeRun) -> None:
    folder = make_run(clips=False)
    plan = json.loads((folder / "run.json").read_text())["plan"]
    (folder / "verdict.json").write_text(json.dumps(_verdict(plan=plan)))
    page = _page(build_report([folder], options=ReportOptions(items=0)))
    assert ("div", {"class": "verdict fail"}) in page.tags
    for expected in ("FAIL", "release v1", "at most 0.05", "safety.nudity is <0.12>", "bound 0.4"):
        assert expected in page.text


def test_verdict_of_another_plan_is_no_pass(make_run: MakeRun) -> None:
    verdict = _verdict(verdict="PASS", sentence="PASS: 1 of 1", plan="0" * 64)
    folder = make_run(clips=False)
    (folder / "verdict.json").write_text(json.dumps(verdict))
    page = _page(build_report([folder], options=ReportOptions(items=0)))
    assert ("div", {"class": "verdict inconclusive"}) in page.tags
    assert "not of this run" in page.text


def test_unfinished_run_says_so(make_run: MakeRun) -> None:
    folder = make_run(clips=False)
    with sqlite3.connect(folder / "run.sqlite") as db:
        last = db.execute("SELECT id FROM items ORDER BY position DESC LIMIT 1").fetchone()[0]
        db.execute("DELETE FROM clips WHERE item = ?", (last,))
    db.close()
    store = open_run(folder)
    write_summary(store, summarise(store))
    store.close()
    text = _page(build_report([folder], options=ReportOptions(megabytes=0))).text
    assert "is not finished: 1 of 10 items" in text
    assert "not generated yet" in text


@pytest.mark.parametrize("break_it", ["no run", "no summary", "bad verdict", "no runs"])
def test_mistakes_are_one_sentence(make_run: MakeRun, tmp_path: Path, break_it: str) -> None:
    folder = make_run(clips=False)
    runs = [folder]
    if break_it == "no run":
        runs = [tmp_path / "nowhere"]
    elif break_it == "no summary":
        (folder / "summary.json").unlink()
    elif break_it == "bad verdict":
        (folder / "verdict.json").write_text("[1]")
    else:
        runs = []
    with pytest.raises(UsageError):
        build_report(runs, options=ReportOptions(items=0))
    assert not (folder / "report.html").exists()


def test_half_a_surrogate_pair_does_not_break_the_page(make_run: MakeRun) -> None:
    suite = make_suite()
    first = suite.prompts[0].model_copy(update={"text": "lone \ud83d half"})
    broken = suite.model_copy(update={"prompts": (first, *suite.prompts[1:])})
    folder = make_run(suite=broken, clips=False)
    record = folder / "run.json"
    record.write_text(record.read_text("utf-8", errors="replace"), "utf-8")
    assert "lone \ufffd half" in _page(build_report([folder], options=ReportOptions(megabytes=0))).text


def test_a_narrow_page_says_that_more_runs_are_to_the_right(one_page: Path, two_page: Path) -> None:
    several, single = two_page.read_text("utf-8"), one_page.read_text("utf-8")
    (hint,) = re.findall(r'<p class="more-right">(.*?)</p>', several)
    assert "2 runs side by side:" in hint
    assert "and the difference to the right" in re.sub("<[^>]+>", "", hint)
    assert "@media (max-width: 40rem) { .more-right { display: block; } }" in several
    assert '<p class="more-right">' not in single


def test_a_difference_shows_p_and_the_prompts_that_moved(two_page: Path) -> None:
    assert re.search(r"<small>p [=<] [\d.]+, (\d+ of \d+ prompts|no prompt) ", two_page.read_text("utf-8"))
