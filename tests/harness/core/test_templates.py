from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError
from screentest.harness.core.templates import render_markdown


def test_markdown_ends_in_one_newline_and_is_not_escaped(tmp_path: Path) -> None:
    page = tmp_path / "page.md.j2"
    page.write_text("# {{ title }}\n\n{% for row in rows %}\n- {{ row }}\n{% endfor %}\n\n")
    assert render_markdown(page, title="a < b", rows=["x & y", "z"]) == "# a < b\n\n- x & y\n- z\n"


def test_a_name_without_a_value_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md.j2"
    page.write_text("{{ titel }}")
    with pytest.raises(UndefinedError, match="titel"):
        render_markdown(page, title="a")
