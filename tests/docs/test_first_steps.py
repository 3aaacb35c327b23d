"""The notebook that a newcomer reads first runs from top to bottom, and says what its text says."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from screentest.generators import GENERATORS

NOTEBOOK = Path(__file__).parent.parent.parent / "docs" / "first_steps.ipynb"


def cells(kind: str) -> list[str]:
    return ["".join(c["source"]) for c in json.loads(NOTEBOOK.read_text())["cells"] if c["cell_type"] == kind]


def show(cell: str, place: dict[str, Any]) -> Any:
    """Run a cell as a notebook does: its statements, and the value of a last expression."""
    body = ast.parse(cell).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), str(NOTEBOOK), "exec"), place)
    return None if last is None else eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), place)


def test_it_is_a_notebook_without_outputs():
    notebook = json.loads(NOTEBOOK.read_text())
    assert notebook["nbformat"] == 4
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert len(code) > 8
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in code)
    assert len({c["id"] for c in notebook["cells"]}) == len(notebook["cells"])


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("SCREENTEST_CACHE", raising=False)
    before = dict(GENERATORS._entries)
    place: dict[str, Any] = {"__name__": "__main__"}
    try:
        shown = [show(cell, place) for cell in cells("code")]
    finally:
        GENERATORS._entries.clear()
        GENERATORS._entries.update(before)
    told = capsys.readouterr().out
    assert "can be TCHW or CTHW; name which" in told
    assert "INCONCLUSIVE" in told
    assert place["drawn"].aggregates().outcomes == {"ok": 7, "refused": 1, "failed": 0}
    assert place["scores"]["motion.flicker"].n == 3
    assert place["base"]["alignment.clip"].n == 8
    assert place["comparison"]["motion.flicker"].direction == "better"
    assert any(type(value).__name__ == "VConcatChart" and value.to_dict() for value in shown)
    assert (place["place"] / "page.html").is_file()
