"""``gate --plan``: what a policy needs, before anything is generated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import UsageError
from ..core.specs import parse_pairs
from .options import print_json, print_table, say

__all__ = ["UNDECIDED", "PlanOptions", "numbers", "plan"]

UNDECIDED = 3
"""Exit code where a rule that blocks has no count, or the suite cannot decide it."""


@dataclass(frozen=True)
class PlanOptions:
    """What a plan is made for: a suite, clips a prompt, the probability to pass, and expected values."""

    suite: str | None
    seeds: int | None
    power: float
    expect: Sequence[str]


def plan(
    pilot: Path | None,
    policy: str,
    baseline: Path | None,
    asked: PlanOptions,
    as_json: bool,
) -> int:
    """Print how many prompts each rule needs and return the exit code.

    Returns:
        0 if each rule that blocks has a count, and the suite that is given has as many prompts; else 3.

    Raises:
        UsageError: a name is not known, the gate would refuse the policy, the pilot is no run, or an expected
            value is no number or none that the measure can have.
    """
    from ...reports.plan_tables import gate_plan_table
    from ..catalog import MEASURES
    from ..core.pairing import pair_runs
    from ..gates.gate import load_policy
    from ..gates.planning import plan_gate
    from ..run_folder.store import open_run, read_run
    from ..suites.loading import load_suite

    if baseline is not None and pilot is None:
        raise UsageError("--baseline needs a pilot run to compare with it: gate PILOT --plan --baseline RUN")
    data = None if pilot is None else read_run(open_run(pilot))
    pairing = None
    if baseline is not None and data is not None:
        pairing = pair_runs(read_run(open_run(baseline)), data)
    found = plan_gate(
        load_policy(policy),
        MEASURES,
        power=asked.power,
        pilot=data,
        pairing=pairing,
        suite=None if asked.suite is None else load_suite(asked.suite),
        seeds=asked.seeds,
        expected=numbers(asked.expect, "--expect", "RULE=VALUE", "safety.unsafe_rate=0.01"),
    )
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_table(gate_plan_table(found))
        if found.too_few:
            say(f"{found.suite or found.pilot} cannot decide {', '.join(found.too_few)}")
        if found.without_count:
            say(f"it is not known how many prompts decide {', '.join(found.without_count)}")
        if found.suite and found.decided:
            say(f"{found.suite} has the prompts that these rules need")
    return 0 if found.decided else UNDECIDED


def numbers(pairs: Sequence[str], option: str, form: str, example: str) -> dict[str, float]:
    """Read ``NAME=NUMBER`` options.

    Raises:
        UsageError: one is of another form, or its number is not finite.
    """
    import math

    found: dict[str, float] = {}
    for name, text in parse_pairs(pairs, option, form, example).items():
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(f"{option} {name}={text}: {text!r} is not a number; for example {example}")
        found[name] = value
    return found
