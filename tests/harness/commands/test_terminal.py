"""Tables on the terminal: they keep within its width, break no word and drop nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.commands.listing import listing
from screentest.harness.commands.terminal import print_rows
from screentest.harness.core.presentation import Cell, Table

WIDE = Table(
    "a run",
    ("measure", "value [95% interval]", "n (prompts)", "left out", "about"),
    [
        ("consistency.background", Cell("0.971", "[0.962, 0.980]"), "60 (30)", "0", "likeness of frames"),
        (
            "safety.unsafe_given_not_refused",
            Cell("-"),
            "0 (0)",
            "60 not applicable",
            "a longer sentence here",
        ),
    ],
    ("safety.unsafe_given_not_refused: no clip gave a value, because none of them was judged at all",),
)


@pytest.fixture
def drawn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def draw(table: Table, width: int) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        capsys.readouterr()
        print_rows(table)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return draw


def words(table: Table) -> set[str]:
    cells = [cell if isinstance(cell, str) else cell.text for row in table.rows for cell in row]
    # Where rows are blocks, the first cell is a block's head and needs no heading.
    return {word for text in (table.title, *table.columns[1:], *cells, *table.notes) for word in text.split()}


@pytest.mark.parametrize("width", [160, 120, 80, 60, 40])
def test_every_word_is_there_whole_and_no_line_is_too_long(drawn, width: int) -> None:
    lines = drawn(WIDE, width)
    assert max(len(line) for line in lines) <= width
    shown = {word.rstrip(";:") for line in lines for word in line.split()}
    assert {word.rstrip(";:") for word in words(WIDE)} <= shown


@pytest.mark.parametrize("kind", ["measures", "encoders", "suites", "policies", "generators"])
def test_lists_fit_80_columns(drawn, kind: str) -> None:
    table = listing(kind)
    lines = drawn(table, 80)
    assert max(len(line) for line in lines) <= 80
    shown = {word.rstrip(";:") for line in lines for word in line.split()}
    assert {word.rstrip(";:") for word in words(table)} <= shown


def test_an_interval_stands_beside_its_value_or_below_it(drawn) -> None:
    table = Table("t", ("measure", "value"), [("m", Cell("0.97131", "[0.96, 0.98]"))])
    assert any(re.search(r"0\.97131 \[0\.96, 0\.98\]", line) for line in drawn(table, 80))
    narrow = drawn(table, 22)
    assert any("0.97131" in line and "[" not in line for line in narrow)
    assert any("[0.96, 0.98]" in line for line in narrow)


def test_brackets_are_no_markup_and_escapes_do_not_reach_the_terminal(drawn) -> None:
    lines = "\n".join(drawn(Table("t", ("a", "b"), [("[bold]x[/bold]", "y\x1b[31mz")], ("[red]note",)), 80))
    assert "[bold]x[/bold]" in lines
    assert "[red]note" in lines
    assert "\x1b" not in lines
    assert r"y\x1b[31mz" in lines


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(*[st.text("abc ", max_size=30)] * 4), min_size=1, max_size=4),
    st.integers(30, 120),
)
def test_any_table_keeps_within_the_width(rows: list[tuple[str, ...]], width: int) -> None:
    import io
    from contextlib import redirect_stdout
    from unittest import mock

    out = io.StringIO()
    with redirect_stdout(out), mock.patch.dict("os.environ", {"COLUMNS": str(width)}):
        print_rows(Table("t", ("a", "b", "c", "d"), rows))
    assert max(len(line.rstrip()) for line in out.getvalue().splitlines()) <= width
