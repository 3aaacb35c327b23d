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
    from .comparison.compare import Comparison
    from .comparison.compare import compare as compare_runs
    from .gates.gate import gate as apply_policy
    from .gates.gate import load_policy
    from .plan import Plan, make_plan
    from .policies.policy import Policy
    from .results.export import export_scores
    from .results.summary import Summary, read_summary
    from .run import Settings, plan_run, score_run
    from .run import run as run_suite
    from .run_folder.store import RunStore, open_run, read_run
    from .suites.loading import load_suite
    from .suites.suite import Suite

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
    "comparison.compare": ("Comparison", "compare_runs"),
    "results.export": ("export_scores",),
    "gates.gate": ("apply_policy", "load_policy"),
    "plan": ("Plan", "make_plan"),
    "policies.policy": ("Policy",),
    "run": ("Settings", "plan_run", "run_suite", "score_run"),
    "run_folder.store": ("RunStore", "open_run", "read_run"),
    "suites.suite": ("Suite",),
    "suites.loading": ("load_suite",),
    "results.summary": ("Summary", "read_summary"),
}
# Functions named like their module get another name here, because they would hide the module.
_OTHER_NAMES = {"apply_policy": "gate", "compare_runs": "compare", "run_suite": "run"}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            found = importlib.import_module(f".{module}", __name__)
            return getattr(found, _OTHER_NAMES.get(name, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
