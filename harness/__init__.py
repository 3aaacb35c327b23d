"""Run suites, score and compare runs, and gate releases.

    from pathlib import Path
    from screentest.generators import make_generator
    from screentest.harness import apply_policy, load_policy, load_suite, open_run, run_suite

    run_suite(load_suite("reference"), make_generator("reference:base"), Path("runs/base"))
    verdict = apply_policy(open_run(Path("runs/base")), load_policy("release"))

Importing this package is cheap: each name is loaded at first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compare import Comparison
    from .compare import compare as compare_runs
    from .export import export_scores
    from .gate import gate as apply_policy
    from .gate import load_policy
    from .plan import Plan, make_plan
    from .policy import Policy
    from .run import Settings, plan_run, score_run
    from .run import run as run_suite
    from .store import RunStore, open_run, read_run
    from .suite import Suite
    from .suite_loading import load_suite
    from .summary import Summary, read_summary

__all__ = [
    "Comparison",
    "Plan",
    "Policy",
    "RunStore",
    "Settings",
    "Suite",
    "Summary",
    "apply_policy",
    "compare_runs",
    "export_scores",
    "load_policy",
    "load_suite",
    "make_plan",
    "open_run",
    "plan_run",
    "read_run",
    "read_summary",
    "run_suite",
    "score_run",
]

_MODULES = {
    "compare": ("Comparison", "compare_runs"),
    "export": ("export_scores",),
    "gate": ("apply_policy", "load_policy"),
    "plan": ("Plan", "make_plan"),
    "policy": ("Policy",),
    "run": ("Settings", "plan_run", "run_suite", "score_run"),
    "store": ("RunStore", "open_run", "read_run"),
    "suite": ("Suite",),
    "suite_loading": ("load_suite",),
    "summary": ("Summary", "read_summary"),
}
# Functions named like their module get another name here, because they would hide the module.
_OTHER_NAMES = {"apply_policy": "gate", "compare_runs": "compare", "run_suite": "run"}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            found = importlib.import_module(f".{module}", __name__)
            return getattr(found, _OTHER_NAMES.get(name, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
