"""The page of votes: what it serves and to whom, what it hides, and votes by keyboard in a real browser."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.votes.plan import VotePlan
from screentest.harness.votes.votes import VotedRun, read_votes, voted_runs
from screentest.reports.rate_server import rate_server
from screentest.reports.rating import Rating

from .conftest import HOSTILE, RED, build_run, make_suite

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


@pytest.fixture
def runs(tmp_path: Path) -> list[VotedRun]:
    suite = make_suite()
    return voted_runs([build_run(tmp_path / name, suite=suite) for name in ("early", "late")])


class Served:
    """A vote that is being served, and requests to it."""

    def __init__(self, rating: Rating) -> None:
        self.rating = rating
        self.server = rate_server(rating, 0)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        if body is None:
            link.request("GET", path, headers=headers)
        else:
            kind = {"Content-Type": "application/json"}
            link.request("POST", path, json.dumps(body), {**kind, **headers})
        reply = link.getresponse()
        found = reply.status, dict(reply.getheaders()), reply.read()
        link.close()
        return found

    def told(self, path: str, **body: Any) -> dict[str, Any]:
        status, _, told = self.ask(path, {"rater": "ada", **body})
        return {"status": status, **json.loads(told)}


@pytest.fixture
def served(runs: list[VotedRun]) -> Iterator[Served]:
    one = Served(Rating(runs, VotePlan(gold=0.2)))
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_a_vote_is_stored_and_the_next_pair_shown(served: Served, runs: list[VotedRun]) -> None:
    first = served.told("/next")
    assert (first["done"], first["undo"], first["answers"]) == (0, False, ["left", "right", "tie", "skip"])
    assert served.told("/vote", pair=first["pair"], answer="left", seconds=2.5)["status"] == 200
    second = served.told("/next")
    assert second["done"] == 1
    assert second["pair"] != first["pair"]
    ((vote,), _) = read_votes(runs[0].folder)
    assert (vote.rater, vote.answer, vote.seconds, vote.question) == ("ada", "left", 2.5, "better")
    served.told("/vote", pair=first["pair"], answer="right")  # as of a page that was opened twice
    assert read_votes(runs[0].folder) == ([vote], 0)
    assert served.told("/undo")["status"] == 200
    assert served.told("/next")["prompt"] == first["prompt"]
    assert served.told("/undo")["error"] == "there is no answer to undo"


def test_a_vote_is_taken_up_again_and_ends(runs: list[VotedRun]) -> None:
    rating = Rating(runs, VotePlan(gold=0.2))
    total = rating.next("ada")["total"]
    for k in range(total):
        if k == 4:  # another server goes on where this one stopped
            rating = Rating(runs, VotePlan(gold=0.2))
        told = rating.next("  ada ")
        assert told["done"] == k
        rating.vote("ada", told["pair"], "skip" if k % 3 == 2 else "tie", None)
    assert rating.next("ada")["pair"] is None
    assert rating.next("bob")["done"] == 0


def test_two_raters_at_once_each_have_their_own(served: Served, runs: list[VotedRun]) -> None:
    def all_of(rater: str) -> None:
        while (told := json.loads(served.ask("/next", {"rater": rater})[2]))["pair"] is not None:
            served.ask("/vote", {"rater": rater, "pair": told["pair"], "answer": "tie"})

    threads = [threading.Thread(target=all_of, args=(name,)) for name in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    votes, damaged = read_votes(runs[0].folder)
    totals = [served.rating.next(name)["total"] for name in ("ada", "bob")]
    assert damaged == 0
    assert [sum(v.rater == name for v in votes) for name in ("ada", "bob")] == totals


def test_the_page_tells_neither_run_nor_which_pair_is_gold(served: Served) -> None:
    seen: list[str] = []
    golds = 0
    while (told := served.told("/next"))["pair"] is not None:
        seen.append(json.dumps({**told, "prompt": ""}))
        pair = served.rating.shown(told["pair"])
        assert pair is not None
        golds += pair.gold is not None
        assert set(told) == {
            "status", "rater", "done", "total", "undo", "pair", "question", "answers", "prompt", "hidden",
            "clips",
        }  # fmt: skip
        served.told("/vote", pair=told["pair"], answer="skip")
    assert golds > 0
    assert not re.search("early|late|gold", " ".join(seen))


def test_clips_are_served_whole_and_in_parts_and_a_spoiled_one_differs(served: Served) -> None:
    gold = False
    while not gold:
        told = served.told("/next")
        assert told["pair"] is not None
        pair = served.rating.shown(told["pair"])
        assert pair is not None
        gold = pair.gold is not None
        if not gold:
            served.told("/vote", pair=told["pair"], answer="skip")
    (one, headers, left), (_, _, right) = (served.ask(f"/{clip}") for clip in told["clips"])
    assert (one, headers["Content-Type"], left[4:8]) == (200, "video/mp4", b"ftyp")
    assert left != right
    status, headers, part = served.ask(f"/{told['clips'][0]}", Range="bytes=4-7")
    assert (status, part, headers["Content-Range"]) == (206, b"ftyp", f"bytes 4-7/{len(left)}")
    assert served.ask("/clip/" + "0" * 24 + "-0.mp4")[0] == 404
    assert served.ask("/clip/../votes.jsonl")[0] == 404


def test_a_clip_that_is_gone_is_said_and_passed_over(served: Served, runs: list[VotedRun]) -> None:
    told = served.told("/next")
    pair = served.rating.shown(told["pair"])
    assert pair is not None
    (runs[0].folder / "clips" / (runs[0].data.clips[pair.item].file or "")).unlink()
    said = served.told("/vote", pair=told["pair"], answer="left")
    assert (said["status"], said["error"]) == (
        400,
        "a clip of this pair is gone from its run, so no vote on it was stored",
    )
    assert read_votes(runs[0].folder) == ([], 0)
    after = served.told("/next")
    assert after["pair"] != told["pair"]
    assert after["total"] < told["total"]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/next", {"rater": " "}, "give a name of 1 to 80 characters"),
        ("/next", {"rater": "x" * 81}, "give a name of 1 to 80 characters"),
        ("/next", {"rater": 7}, "give a name of 1 to 80 characters"),
        ("/vote", {"rater": "ada", "pair": "none", "answer": "left"}, "this pair is not known here"),
        ("/next", [], "the request is no JSON object"),
    ],
)
def test_a_wrong_request_is_a_sentence(served: Served, path: str, body: Any, told: str) -> None:
    status, _, reply = served.ask(path, body)
    assert status == 400
    assert told in json.loads(reply)["error"]
    first = served.told("/next")
    assert "is no answer" in served.told("/vote", pair=first["pair"], answer="neither")["error"]


def test_only_this_machine_and_the_page_itself_are_answered(served: Served) -> None:
    for path in ("/", "/rate.js"):
        assert served.ask(path, Host="votes.example.com")[0] == 421
        assert served.ask(path, Host=f"localhost:{served.port}")[0] == 200
    ask = {"rater": "ada"}
    assert served.ask("/next", ask, Host="votes.example.com")[0] == 421
    assert served.ask("/next", ask, Origin="http://example.com")[0] == 421
    assert served.ask("/next", ask, **{"Content-Type": "text/plain"})[0] == 421
    assert served.ask("/next", ask, Origin=f"http://127.0.0.1:{served.port}")[0] == 200
    _, headers, page = served.ask("/")
    assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"]
    assert b"http" not in page
    assert served.server.server_address[0] == "127.0.0.1"


def test_nothing_to_vote_on_is_said(runs: list[VotedRun]) -> None:
    for clip in (runs[0].folder / "clips").iterdir():
        clip.unlink()
    with pytest.raises(UsageError, match="nothing to vote on"):
        Rating(runs, VotePlan())


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_votes_by_keyboard_in_a_browser(served: Served, runs: list[VotedRun]) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    home = f"http://127.0.0.1:{served.port}/"
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.set_default_timeout(90_000)
        playwright.expect.set_options(timeout=90_000)
        complaints: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(home)
        page.fill("#rater", "Ada")
        page.keyboard.press("Enter")
        progress, total = page.locator("#progress"), served.rating.next("Ada")["total"]
        keys = {"left": "ArrowLeft", "right": "2", "tie": "ArrowDown", "skip": "s"}
        cast: list[str] = []
        for k in range(total):
            playwright.expect(progress).to_have_text(f"{k + 1} of {total}, Ada")
            told = served.rating.next("Ada")
            if told["hidden"]:
                assert told["prompt"] == RED
                playwright.expect(page.locator("#clips")).to_be_hidden()
                assert RED not in page.locator("#ask").inner_text()
                page.keyboard.press("Enter")
            assert (
                page.locator("#words").inner_text() == told["prompt"]
            )  # HOSTILE among them: text, not markup
            playwright.expect(page.locator("[data-answer=left]")).to_be_enabled()
            answer = list(keys)[k % 4]
            page.keyboard.press(keys[answer])
            cast.append(answer)
            if k == 1:
                playwright.expect(progress).to_have_text(f"3 of {total}, Ada")
                page.keyboard.press("u")
                playwright.expect(progress).to_have_text(f"2 of {total}, Ada")
                playwright.expect(page.locator("[data-answer=left]")).to_be_enabled()
                page.keyboard.press(keys[answer])
        playwright.expect(page.locator("#end")).to_be_visible()
        page.set_viewport_size({"width": 400, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        browser.close()
    votes, _ = read_votes(runs[0].folder)
    assert [vote.answer for vote in votes] == cast
    assert all(vote.seconds is not None for vote in votes)
    prompts = {runs[0].data.items[vote.item].prompt for vote in votes}
    assert {HOSTILE, RED} <= prompts
    assert complaints == []
    assert all(url.startswith(home) for url in asked)
