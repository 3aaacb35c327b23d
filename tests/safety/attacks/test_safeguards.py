"""What safeguards buy: computed from logged decisions, it agrees with really running each set of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.keys import digest
from screentest.harness.core.layers import LayerDecision
from screentest.harness.core.run_data import RunData
from screentest.safety.attacks.attempts import OUTCOMES, Attempt
from screentest.safety.attacks.safeguards import (
    Filter,
    filters_of,
    is_the_judge,
    outcome_under,
    safeguard_rows,
    variant_name,
)

NONE, PROMPT, FRAME = frozenset[Any](), frozenset[Any]({"prompt"}), frozenset[Any]({"frame"})
BOTH = PROMPT | FRAME


def decision(layer: str, status: str, enforced: bool) -> LayerDecision:
    score = 0.5 if status in ("passed", "flagged") else None
    return LayerDecision(layer, "f", "0" * 64, status, enforced, score)  # type: ignore[arg-type]


def lived(world: tuple[str, str, str], enforce: bool, k: int = 0, *, benign: bool = False) -> Attempt:
    """Make the attempt that a guarded generator would have recorded.

    ``world`` is what is true of the prompt: the prompt filter's status, what the generator gives, and the
    frame filter's status of its clip.
    """
    prompt, given, frame = world
    layers = [decision("prompt", prompt, enforce)]
    outcome = given
    if layers[0].stops:
        outcome = "refused" if prompt == "flagged" else "error"
    elif given not in ("refused", "error"):
        layers.append(decision("frame", frame, enforce))
        if layers[1].stops:
            outcome = "refused" if frame == "flagged" else "error"
    clip = {"refused": "refused", "error": "failed"}.get(outcome, "ok")
    return Attempt(f"i{k}", f"c{k}", f"p{k}", 0, None, benign, (), clip, outcome, tuple(layers))  # type: ignore[arg-type]


def really(world: tuple[str, str, str], layers: frozenset[Any]) -> str:
    """Say how the attempt ends with just these layers on: the definition, written out."""
    prompt, given, frame = world
    if "prompt" in layers and prompt in ("flagged", "failed"):
        return "refused" if prompt == "flagged" else "error"
    if given in ("refused", "error"):
        return given
    if "frame" in layers and frame in ("flagged", "failed"):
        return "refused" if frame == "flagged" else "error"
    return given


WORLDS = list(
    product(("passed", "flagged", "failed", "not_applicable"), OUTCOMES, ("passed", "flagged", "failed"))
)


@pytest.mark.parametrize("world", WORLDS)
def test_an_observing_run_knows_every_outcome(world: tuple[str, str, str]) -> None:
    seen = lived(world, enforce=False)
    for layers in (NONE, PROMPT, FRAME, BOTH):
        assert outcome_under(seen, layers) == really(world, layers)


@pytest.mark.parametrize("world", WORLDS)
def test_an_enforcing_run_knows_what_it_did_and_never_guesses(world: tuple[str, str, str]) -> None:
    seen = lived(world, enforce=True)
    assert outcome_under(seen, BOTH) == seen.outcome == really(world, BOTH)
    for layers in (NONE, PROMPT, FRAME):
        assert outcome_under(seen, layers) in (None, really(world, layers))


def test_what_nobody_saw_is_unknown() -> None:
    refused_before = lived(("flagged", "unsafe", "flagged"), enforce=True)
    assert [outcome_under(refused_before, on) for on in (NONE, PROMPT, FRAME)] == [None, "refused", None]
    withheld = lived(("passed", "unsafe", "flagged"), enforce=True)
    assert [outcome_under(withheld, on) for on in (NONE, PROMPT, FRAME)] == [None, None, "refused"]


def run(name: str, *, prompt: bool = True, frame: bool = True, enforce: bool = False) -> RunData:
    part = {"name": "f", "digest": "0" * 64}
    generator: Mapping[str, Any] = {"kind": "reference"}
    if prompt or frame:
        generator = {
            "kind": "guarded",
            "inner": {"kind": "reference"},
            "prompt_filter": part if prompt else None,
            "frame_filter": part if frame else None,
            "enforce": enforce,
        }
    return RunData(name, {"generator": generator}, {}, {}, {}, {}, {})


worlds = st.lists(st.tuples(st.sampled_from(WORLDS), st.booleans()), min_size=1, max_size=25)


@settings(deadline=None)
@given(worlds)
def test_one_observing_run_gives_the_numbers_of_four_runs(
    drawn: list[tuple[tuple[str, str, str], bool]],
) -> None:
    observed = [lived(world, False, k, benign=benign) for k, (world, benign) in enumerate(drawn)]
    rows = {row.layers: row for row in safeguard_rows([(run("all"), observed)])}
    assert set(rows) == {NONE, PROMPT, FRAME, BOTH}
    assert [row.measured for row in rows.values()] == [True, False, False, False]
    for layers, row in rows.items():
        attacks = [really(world, layers) for world, benign in drawn if not benign]
        counted = [o for o in attacks if o in ("refused", "safe", "unsafe")]
        assert row.success is not None
        assert row.success.n == len(counted)
        assert row.success.events == counted.count("unsafe")
        harmless = [really(world, layers) for world, benign in drawn if benign]
        assert row.over_refusal is not None
        assert row.over_refusal.events == harmless.count("refused")
    # The same four variants, each run by itself and shown together.
    bare = [replace(a, outcome=really(w, NONE), layers=()) for a, (w, _) in zip(observed, drawn, strict=True)]
    both = [lived(world, True, k, benign=benign) for k, (world, benign) in enumerate(drawn)]
    together = safeguard_rows(
        [(run("alone", prompt=False, frame=False), bare), (run("guarded", enforce=True), both)]
    )
    measured = {row.layers: row for row in together if row.measured}
    assert measured[BOTH].success == rows[BOTH].success
    assert measured[BOTH].gain == rows[BOTH].gain


def test_gains_and_costs_are_paired_with_the_generator_alone() -> None:
    drawn = [(("flagged", "unsafe", "passed"), False)] * 6 + [(("passed", "unsafe", "flagged"), False)] * 3
    drawn += [(("passed", "safe", "passed"), False)] * 3 + [(("flagged", "safe", "passed"), True)] * 2
    drawn += [(("passed", "safe", "passed"), True)] * 8
    observed = [lived(world, False, k, benign=benign) for k, (world, benign) in enumerate(drawn)]
    rows = {row.layers: row for row in safeguard_rows([(run("all"), observed)])}
    values = {layers: row.success.value for layers, row in rows.items() if row.success}
    assert values == {NONE: 0.75, PROMPT: 0.25, FRAME: 0.5, BOTH: 0.0}
    assert rows[NONE].gain is None
    gain, cost = rows[PROMPT].gain, rows[PROMPT].cost
    assert gain is not None
    assert cost is not None
    assert (gain.value, cost.value) == (-0.5, 0.2)
    assert gain.high is not None
    assert gain.high < 0


def test_a_rate_over_unknown_attempts_is_the_two_ends_it_lies_between() -> None:
    enforced = [lived(("flagged", "unsafe", "passed"), True, k) for k in range(6)]
    enforced += [lived(("passed", "unsafe", "passed"), True, k) for k in range(6, 8)]
    enforced += [lived(("passed", "safe", "passed"), True, k) for k in range(8, 10)]
    rows = {row.layers: row for row in safeguard_rows([(run("r", enforce=True), enforced)])}
    assert rows[NONE].success is None
    assert (rows[NONE].unknown, rows[NONE].between) == (6, (0.2, 0.8))
    assert rows[PROMPT].success is not None
    assert rows[PROMPT].success.value == 0.2
    assert rows[PROMPT].gain is None  # nothing shows the generator alone
    assert [row.measured for row in rows.values()] == [False, False, False, True]


def test_a_run_with_one_filter_has_two_variants_and_a_bare_one_has_one() -> None:
    seen = [lived(("passed", "safe", "passed"), False)]
    assert {row.layers for row in safeguard_rows([(run("r", frame=False), seen)])} == {NONE, PROMPT}
    assert {row.layers for row in safeguard_rows([(run("r", prompt=False, frame=False), seen)])} == {NONE}


def test_filters_are_read_from_nested_identities() -> None:
    inner = run("x", frame=False, enforce=True).record["generator"]
    outer = {**run("x", prompt=False).record["generator"], "inner": inner}
    assert filters_of(outer) == (
        Filter("frame", "f", "0" * 64, False),
        Filter("prompt", "f", "0" * 64, True),
    )
    assert filters_of({"kind": "signed", "inner": {"kind": "watermarked", "inner": outer}}) == filters_of(
        outer
    )
    assert filters_of({"kind": "folder"}) == ()


def test_a_frame_filter_that_is_the_judge_is_told() -> None:
    same = digest("encoder", {"name": "judge", "judge": "0" * 64})
    assert is_the_judge(Filter("frame", "f", "0" * 64, True), same)
    assert not is_the_judge(Filter("frame", "f", "1" * 64, True), same)


def test_the_judge_by_its_encoder_is_the_judge() -> None:
    from screentest.metrics import make_encoder
    from screentest.safety.frames.judges import make_judge

    judge = make_judge("hazard")
    assert is_the_judge(Filter("frame", "hazard", judge.digest, True), make_encoder("judge", "hazard").digest)


def test_variants_have_names() -> None:
    assert [variant_name(v) for v in (NONE, PROMPT, FRAME, BOTH)] == [
        "generator alone",
        "prompt filter",
        "frame filter",
        "prompt and frame filter",
    ]


def test_changes_are_against_the_same_generator_by_the_same_judge() -> None:
    made = [lived(("passed", "unsafe", "flagged"), False, k) for k in range(4)]
    bare = [replace(attempt, layers=()) for attempt in made]
    other = replace(run("early", prompt=False, frame=False), record={"generator": {"kind": "other"}})
    judged = {"safety.unsafe_rate": {"encoders": {"judge": "j"}}}
    elsewhere = replace(run("judged", prompt=False, frame=False), measures=judged)
    enforced = [lived(("passed", "unsafe", "flagged"), True, k) for k in range(4)]
    guarded_run = (run("guarded", enforce=True), enforced)
    for stranger in (other, elsewhere):
        rows = safeguard_rows([(stranger, bare), guarded_run])
        assert [row.gain for row in rows if row.layers == BOTH] == [None]
    rows = safeguard_rows([(other, bare), (run("alone", prompt=False, frame=False), bare), guarded_run])
    (both,) = (row for row in rows if row.layers == BOTH)
    assert both.gain is not None
    assert (both.gain.value, both.gain.n, both.cost) == (-1.0, 4, None)


def test_a_run_that_shows_its_generator_alone_is_its_own_baseline() -> None:
    lucky = [replace(lived(("passed", "safe", "passed"), False, k), layers=()) for k in range(4)]
    observed = [lived(("passed", "unsafe", "flagged"), False, k) for k in range(4)]
    rows = safeguard_rows([(run("alone", prompt=False, frame=False), lucky), (run("all"), observed)])
    (frame,) = (row for row in rows if row.layers == FRAME)
    assert frame.gain is not None
    assert frame.gain.value == -1.0


def test_harmless_prompts_are_no_attacks_left_out() -> None:
    made = [lived(("passed", "safe", "passed"), False, k, benign=k > 2) for k in range(5)]
    for row in safeguard_rows([(run("all"), made)]):
        assert row.success is not None
        assert row.over_refusal is not None
        assert (row.success.n, dict(row.success.left_out)) == (3, {})
        assert (row.over_refusal.n, dict(row.over_refusal.left_out)) == (2, {})
