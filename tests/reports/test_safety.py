"""The page's section on safety: every cell rests on something, and nothing hazardous meets the eye."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from screentest.harness.core.run_data import RunData
from screentest.harness.run_folder.store import open_run, read_run
from screentest.reports.safety import safety_view
from screentest.reports.text import DASH
from screentest.safety.attacks.withhold import is_red_team

from .attacks import WORDS, attack_run, attack_suite


class Tables(HTMLParser):
    """The tables of a page: caption, rows of (cell texts), and the attributes of every cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[dict[str, list[list[str]]]] = []
        self.attributes: list[dict[str, str | None]] = []
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append({"caption": [[]], "rows": []})
        elif tag == "tr":
            self.tables[-1]["rows"].append([])
        elif tag in ("td", "th", "caption"):
            self._open = True
            self.attributes.append({"tag": tag, **dict(attrs)})
            if tag != "caption":
                self.tables[-1]["rows"][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "caption"):
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open and self.tables[-1]["rows"]:
            self.tables[-1]["rows"][-1][-1] += f" {data.strip()}" if data.strip() else ""


def section(page: Path) -> str:
    found = re.search(r'<section id="safety".*?</section>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[0]


def read(folder: Path) -> RunData:
    store = open_run(folder)
    run = read_run(store)
    store.close()
    return run


INTERVAL = re.compile(r"\[[^\[\]]+, [^\[\]]+\]")


@pytest.mark.parametrize("which", ["attack_page", "attack_pages"])
def test_every_cell_has_n_and_an_interval_or_a_dash_and_its_reason(
    request: pytest.FixtureRequest, which: str
) -> None:
    tables = Tables(section(request.getfixturevalue(which))).tables
    outcomes, *others = tables
    assert all(cell.strip().isdigit() for row in outcomes["rows"][1:] for cell in row[2:])
    cells = 0
    for table in others:
        head, *rows = table["rows"]
        single = "Left out" in " ".join(head)
        skip = {"Rate": 1, "Category": 1, "Run": 3, "Family": 2}[head[0].strip()]
        for row in rows:
            assert len(row) == len(head)
            for cell in (
                [" ".join(row[1:])] if single else row[skip : -1 if head[0].strip() == "Family" else None]
            ):
                cells += 1
                told = cell.strip()
                if told.startswith(DASH):
                    assert told.removeprefix(DASH).strip(), "a dash without its reason"
                elif "not seen" in told:
                    assert re.match(r"0\.\d+ to 0\.\d+ \d+ attempts not seen", told)
                else:
                    assert INTERVAL.search(told), told
                    assert re.search(r"\bn \d+ (\(\d+\)|pairs)", told), told
    assert cells > 30


def test_the_map_shows_rates_by_category_and_disguise(attack_page: Path) -> None:
    html = section(attack_page)
    heat = next(t for t in Tables(html).tables if t["rows"][0][0].strip() == "Category")
    head, *rows = ([cell.strip() for cell in row] for row in heat["rows"])
    assert head == ["Category", "all", "plain", "base64", "leet"]
    assert [row[0] for row in rows] == ["all", "Violent crime (vcr)", "Hate (hte)", "<b>own</b> & odd"]
    assert rows[2][2:4] == ["75% [17%, 98%] n 8 (4)", "0% [0%, 49%] n 8 (4)"]
    assert rows[1][2].endswith("left out: 2 error, 2 judge failed")
    assert rows[0][1].startswith("50% [34%, 66%] n 72 (36)")
    classes = re.findall(r'<td class="num heat-(\d+)"><span class="value">(\d+)%', html)
    assert len(classes) == 16
    assert all(int(step) == -(-int(value) // 10) for step, value in classes)


def test_what_was_not_asked_is_a_dash_that_says_so(tmp_path: Path) -> None:
    suite = attack_suite(2, families=("leet",), seeds=1)
    kept = [p for p in suite.prompts if (p.label("category"), p.label("family")) != ("hte", "leet")]
    folder = attack_run(tmp_path / "run", "alone", suite.model_copy(update={"prompts": tuple(kept)}))
    view = safety_view([("A", read(folder))])
    assert view is not None
    ((_, heat),) = view.maps
    row = dict(heat.rows)["Hate (hte)"]
    cell = row[heat.columns.index("leet")]
    assert (cell.value, cell.why, cell.step) == (DASH, "not asked", None)
    assert view.safeguards == ()  # a bare generator has none to speak of


def test_attempts_that_came_to_nothing_give_a_dash_and_not_zero(tmp_path: Path) -> None:
    suite = attack_suite(1, families=(), seeds=1)
    nothing = [p for p in suite.prompts if "fail at" in p.text]
    folder = attack_run(tmp_path / "run", "alone", suite.model_copy(update={"prompts": tuple(nothing)}))
    view = safety_view([("A", read(folder))])
    assert view is not None
    cell = view.rates[0].cells[0]
    assert (cell.value, cell.n, cell.why) == (DASH, "n 0", "left out: 1 error")
    ((_, heat),) = view.maps
    assert (heat.rows[0][1][0].value, heat.rows[0][1][0].why) == (DASH, "left out: 1 error")


def test_safeguards_say_what_they_buy_and_cost(attack_page: Path, attack_pages: Path) -> None:
    table = next(t for t in Tables(section(attack_page)).tables if "Safeguards" in " ".join(t["rows"][0]))
    rows = {row[1].strip(): [cell.strip() for cell in row[2:]] for row in table["rows"][1:]}
    assert [row[0] for row in rows.values()] == ["measured", "computed", "computed", "computed"]
    assert rows["generator alone"][2] == f"{DASH} the baseline"
    assert (
        rows["prompt filter"][2] == "\N{MINUS SIGN}0.25 [\N{MINUS SIGN}0.39, \N{MINUS SIGN}0.08] n 72 pairs"
    )
    assert rows["prompt filter"][5].startswith("+0.25 [\N{MINUS SIGN}0.17, +0.57] n 16 pairs")
    assert rows["frame filter"][5].startswith("0.00 [")
    together = section(attack_pages)
    assert "42 attempts not seen" in together
    assert f'{DASH}</span><small class="why">not seen' in together


def test_tables_are_walked_by_their_headings(attack_pages: Path) -> None:
    html = section(attack_pages)
    for attributes in Tables(html).attributes:
        if attributes["tag"] == "th":
            assert attributes.get("scope") in ("row", "col")
    assert html.count("<table") == html.count("<caption>")
    regions = re.findall(r'<div class="scroll" role="region" aria-label="([^"]+)" tabindex="0">', html)
    assert len(regions) == html.count("<table")
    assert "<svg" not in html


@pytest.mark.parametrize("which", ["attack_page", "attack_pages"])
def test_no_red_team_prompt_meets_the_eye(
    request: pytest.FixtureRequest, which: str, attacked: dict[str, Path]
) -> None:
    html = request.getfixturevalue(which).read_text("utf-8")
    seen = re.sub(r'<details class="prompt">.*?</details>', "", html, flags=re.DOTALL)
    assert "[prompt withheld]" in seen  # the painter's refusals quote what they refuse
    assert WORDS not in seen
    items = [item for item in read(attacked["alone"]).items.values() if is_red_team(item)]
    assert items
    assert not [item.id for item in items if item.prompt and item.prompt in seen]
    in_the_open = re.sub(r"<details.*?</details>", "", html, flags=re.DOTALL)
    labels = re.findall(r'<video[^>]*aria-label="([^"]*)"', in_the_open)
    assert all(label.startswith(("a green meadow", "a grey meadow")) for label in labels)


def test_names_are_inert(attack_page: Path) -> None:
    html = attack_page.read_text("utf-8")
    assert "<b>own" not in html
    assert "&lt;b&gt;own&lt;/b&gt; &amp; odd" in html


def test_runs_that_judged_nothing_have_no_section(one_page: Path) -> None:
    assert 'id="safety"' not in one_page.read_text("utf-8")
    assert 'href="#safety"' not in one_page.read_text("utf-8")
