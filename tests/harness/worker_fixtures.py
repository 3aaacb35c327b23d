"""The plug-in of the tests of workers, loaded for one test and then forgotten."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from screentest.generators import GENERATORS
from screentest.harness import plugins
from screentest.harness.catalog import MEASURES
from screentest.harness.plugins import load_file
from screentest.harness.run_folder.store import open_run
from screentest.harness.suites.suite import Suite

PLUGIN = Path(__file__).parent / "worker_plugin.py"


@contextmanager
def plugin_loaded() -> Iterator[None]:
    """Load the plug-in within the block, as the only one."""
    others = dict(plugins._LOADED)
    plugins._LOADED.clear()
    load_file(PLUGIN)
    try:
        yield
    finally:
        forget()
        plugins._LOADED.update(others)


def forget() -> None:
    """Take the plug-in out of the registries, as if this were another process."""
    GENERATORS._entries.pop("marked", None)
    MEASURES._entries.pop("marked.length", None)
    for path in [path for path in plugins._LOADED if path.name == PLUGIN.name]:
        del plugins._LOADED[path]
    for name in [name for name in sys.modules if name.startswith("screentest_plugin_")]:
        if Path(str(sys.modules[name].__file__)).name == PLUGIN.name:
            del sys.modules[name]


def marked_suite(**changes: Any) -> Suite:
    """Make a suite of 6 prompts and 2 seeds, small enough to be scored at once."""
    fields: dict[str, Any] = {
        "name": "marked",
        "version": 1,
        "seeds": 2,
        "clip": {"frames": 4, "height": 16, "width": 16, "fps": 8},
        "prompts": [*(f"noise {k}" for k in range(5)), "refuse this"],
        "measures": ["marked.length", "motion.flicker", "refusal.rate"],
    }
    return Suite.model_validate({**fields, **changes})


def tables(folder: Path) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Read what must not depend on workers: the score table with its digests, and the clips."""
    store = open_run(folder)
    try:
        return (
            store.rows(
                "SELECT item, measure, status, value, reason, evidence, key, digest FROM scores "
                "ORDER BY item, measure"
            ),
            store.rows("SELECT item, outcome, reason, sha256, file, info FROM clips ORDER BY item"),
        )
    finally:
        store.close()
