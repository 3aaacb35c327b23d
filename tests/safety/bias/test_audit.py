"""The audit's section, from score tables in which what is shown, and how good it is, was planted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from screentest.generators.reference.training.data import planted
from screentest.harness.core.items import ClipSettings, Item
from screentest.harness.core.labels import Labels
from screentest.harness.core.run_data import ClipRecord, RunData, Score
from screentest.harness.suites.loading import load_suite
from screentest.metrics.encoders.base import EncoderOptions
from screentest.safety.audits import AUDITS, AuditSection, audit_sections
from screentest.safety.bias.audit import section
from screentest.safety.bias.parity import group_parity, pair_differences, people_parity
from screentest.safety.bias.reading import PeopleEncoder
from screentest.safety.bias.shown import shown_of

CLIP = ClipSettings()
Draw = Callable[[Item, np.random.Generator], Mapping[str, Any] | None]


def make_run(
    labels: list[tuple[str, Labels]], draw: Draw, *, seeds: int = 4, people: str = "reference", **record: Any
) -> RunData:
    """Make a run: each prompt with its labels; ``draw`` gives a clip's evidence, or None for a refusal.

    Of the evidence, ``quality`` becomes the measure of that name.
    """
    items: dict[str, Item] = {}
    clips: dict[str, ClipRecord] = {}
    scores: dict[tuple[str, str], Score] = {}
    rng = np.random.default_rng(5)
    for text, own in labels:
        for seed in range(seeds):
            item = Item(id=f"{text}/{seed}", prompt=text, seed=seed, clip=CLIP, cluster=text, labels=own)
            items[item.id] = item
            seen = draw(item, rng)
            if seen is None:
                clips[item.id] = ClipRecord(item.id, "refused", "no")
                scores["bias.person_shown", item.id] = Score(item.id, "bias.person_shown", "refused")
                continue
            clips[item.id] = ClipRecord(item.id, "ok")
            told = {name: value for name, value in seen.items() if name != "quality"}
            scores["bias.person_shown", item.id] = Score(
                item.id, "bias.person_shown", "ok", float("presentation" in told), evidence=told
            )
            if "quality" in seen:
                scores["quality", item.id] = Score(item.id, "quality", "ok", float(seen["quality"]))
    digest = PeopleEncoder(people, EncoderOptions()).digest
    measures = {
        "bias.person_shown": {"kind": "rate", "sources": {"people": people}, "encoders": {"people": digest}},
        "quality": {"kind": "mean", "better": "higher", "bounds": (None, None)},
    }
    return RunData("run", {"plan": "p", **record}, items, clips, measures, scores, {})


def world_prompts() -> list[tuple[str, Labels]]:
    return [(p.text, p.labels) for p in load_suite("bias-world").prompts]


def shown_as(name: str) -> Draw:
    """Show people by the planted shares of a checkpoint, four in ten of them undetermined."""
    made = planted(name)

    def draw(item: Item, rng: np.random.Generator) -> Mapping[str, Any]:
        group = item.labels["group"][0]
        feminine = rng.random() < made.feminine[group]
        tone = ("light", "medium", "dark")[rng.choice(3, p=made.tone[group])]
        known = rng.random() < 0.6
        return {
            "presentation": ("feminine" if feminine else "masculine") if known else "undetermined",
            "tone": tone,
            "quality": rng.normal(),
        }

    return draw


def audited(name: str) -> AuditSection:
    suite = load_suite("bias-world")
    assert suite.bias is not None
    record = {"suite": {"bias": suite.bias.model_dump(mode="json")}}
    return section([make_run(world_prompts(), shown_as(name), **record)], 0.95)


@pytest.fixture(scope="module")
def base() -> AuditSection:
    return audited("base")


def test_the_headline_names_what_was_planted(base: AuditSection) -> None:
    headline = base.findings[0]
    assert headline.startswith("Differs from even shares")
    assert (
        "over all groups presentation (p = 0.0014) and tone (p = 0.0014)" in headline
    )  # the least of 14 tests
    assert "nurse: feminine" in headline
    assert "farmer: dark" in headline
    assert any(note == "planted: planted in reference:base" for note in base.notes)


def test_the_line_over_the_planted_shares_repeats_them(base: AuditSection) -> None:
    line = next(f for f in base.findings if f.startswith("Feminine over 'planted in reference:base': slope"))
    slope = float(line.split("slope ")[1].split(" ")[0])
    assert 0.6 < slope < 1.4  # how often the interval holds 1 is counted over many audits, in test_shares
    against = [f for f in base.findings if "from 'planted in reference:base' over 6 groups" in f]
    assert len(against) == 2
    assert all("p = 1" in f or float(f.split("p = ")[1].split(",")[0]) > 0.05 for f in against)


def test_tables_have_every_group_with_intervals_and_undetermined_apart(base: AuditSection) -> None:
    titles = [table.title for table in base.tables]
    assert any("shares of presentation by group, corrected" in title for title in titles)
    shares = next(t for t in base.tables if "shares of presentation" in t.title).records()
    assert [row["group"] for row in shares] == [*sorted(planted("base").feminine), "all"]
    nurse = next(row for row in shares if row["group"] == "nurse")
    assert "[" in nurse["feminine [95%]"]
    unknown, of, people = nurse["undetermined"].split(" ")
    assert (of, people) == ("of", "48")
    assert 8 <= int(unknown) <= 32
    together = next(t for t in base.tables if "presentation and tone together" in t.title)
    assert len(together.rows) == 3
    assert base.as_json()["tables"][0]["rows"]


def test_a_fair_generator_is_not_accused() -> None:
    found = audited("safe")
    assert found.findings[0].startswith("Nothing is shown to differ from even shares, in 12 comparisons")
    assert any(f.startswith("None of") and "quality" in f for f in found.findings)


def test_a_reader_that_cannot_tell_gives_no_shares() -> None:
    """NudeNet takes every labelled face for feminine: no share of presentation is computed from it."""
    run = make_run(
        world_prompts(), lambda *_: {"presentation": "feminine", "tone": "light"}, people="nudenet"
    )
    found = section([run], 0.95)
    assert any("the reader cannot tell feminine from masculine" in note for note in found.notes)
    assert not any("shares of presentation" in table.title for table in found.tables)
    assert any(
        "shares of tone by group, as the reader sees them, not corrected" in t.title for t in found.tables
    )


def test_another_readers_error_is_not_taken() -> None:
    error = {
        "reader": "nudenet",
        "digest": "ab" * 32,
        "attributes": {
            "presentation": {"feminine": {"feminine": 90, "masculine": 10}, "masculine": {"masculine": 100}}
        },
    }
    record = {"suite": {"bias": {"reader_error": error}}}
    found = section([make_run(world_prompts(), shown_as("safe"), **record)], 0.95)
    assert any(
        "the suite's reader_error is of the reader nudenet abababababab" in note for note in found.notes
    )
    assert any("not corrected" in table.title for table in found.tables)


def test_a_run_that_shows_nobody_has_no_share_and_says_so() -> None:
    run = make_run(world_prompts()[:3], lambda *_: {"why": "no face was found in the clip"})
    found = section([run], 0.95)
    assert found.findings[0].startswith("No share was computed")
    assert any(f.startswith("A person is found in 0%") for f in found.findings)
    refused = section([make_run(world_prompts()[:3], lambda *_: None)], 0.95)
    assert refused.findings[0] == "No clip was read: there is no finding"


def test_the_audit_is_asked_for_by_name() -> None:
    run = make_run(world_prompts()[:4], shown_as("safe"))
    assert AUDITS.get("bias").concerns(run)
    assert [one.audit for one in audit_sections([run], names=["bias"])] == ["bias"]


# -- parity and pairs


def worse_for_nurses(item: Item, rng: np.random.Generator) -> Mapping[str, Any] | None:
    nurse = item.labels["group"] == ("nurse",)
    if nurse and rng.random() < 0.5:
        return None
    return {"presentation": "feminine", "tone": "dark", "quality": rng.normal() - 2.0 * nurse}


def test_planted_differences_of_quality_and_refusal_are_found() -> None:
    found = {
        one.measure: one for one in group_parity(make_run(world_prompts(), worse_for_nurses), "group", 0.95)
    }
    for measure, worst in (("quality", 0), ("refusal", 1)):
        assert found[measure].adjusted < 0.01
        assert found[measure].ends[worst].group == "nurse"


def test_quality_by_who_is_shown_is_compared_within_prompts() -> None:
    """Prompts differ much in quality, and more so where all clips are light; within prompts dark is worse."""

    def draw(item: Item, rng: np.random.Generator) -> Mapping[str, Any]:
        dark = bool(item.seed % 2)
        return {
            "presentation": "feminine" if item.seed < 2 else "masculine",
            "tone": "dark" if dark else "light",
            "quality": 10.0 * (hash_of(item.cluster) % 7) - dark + 0.3 * rng.normal(),
        }

    run = make_run(world_prompts(), draw)
    found = {(one.measure, one.by): one for one in people_parity(run, shown_of(run, "group")[0], 0.95)}
    assert found["quality", "tone"].adjusted < 0.01
    assert found["quality", "tone"].ends[0].group == "dark"
    assert found["quality", "presentation"].adjusted > 0.05


def test_intervals_of_parity_stay_in_the_measures_range() -> None:
    def draw(item: Item, rng: np.random.Generator) -> Mapping[str, Any]:
        near_the_end = 0.5 if hash_of(item.cluster) % 7 == 0 else 1.0
        return {"presentation": "feminine", "tone": "light", "quality": near_the_end}

    run = make_run(pair_prompts(), draw, seeds=2)
    run.measures["quality"]["bounds"] = (0.0, 1.0)
    (pair, *_) = (one for one in pair_differences(run, 0.95) if one.measure == "quality")
    assert pair.difference.low is not None
    assert pair.difference.low >= -1.0
    by_group = next(one for one in group_parity(run, "named", 0.95) if one.measure == "quality")
    highs = [group.interval.high for group in by_group.groups]
    assert max(high for high in highs if high is not None) == 1.0


def hash_of(text: str) -> int:
    return sum(text.encode())


def pair_prompts() -> list[tuple[str, Labels]]:
    return [(p.text, p.labels) for p in load_suite("bias-people").prompts if "pair" in p.tags]


def test_counterfactual_pairs_show_a_planted_change_and_only_that() -> None:
    def draw(item: Item, rng: np.random.Generator) -> Mapping[str, Any] | None:
        (named,) = item.labels["named"]
        if named == "dark skin" and rng.random() < 0.6:
            return None
        return {"presentation": "feminine", "tone": "light", "quality": rng.normal() + 3 * (named == "man")}

    found = {
        (p.measure, p.a, p.b): p for p in pair_differences(make_run(pair_prompts(), draw, seeds=2), 0.95)
    }
    assert set(found) == {
        (measure, a, b)
        for measure in ("quality", "refusal")
        for a, b in (("man", "woman"), ("dark skin", "light skin"))
    }
    quality = found["quality", "man", "woman"]
    assert (quality.n, quality.prompts) == (24, 12)
    assert quality.adjusted < 0.01
    assert quality.difference.high is not None
    assert quality.difference.high < -1
    refusal = found["refusal", "dark skin", "light skin"]
    assert refusal.adjusted < 0.05
    assert refusal.difference.high is not None
    assert refusal.difference.high < 0
    assert found["refusal", "man", "woman"].adjusted > 0.5
    assert found["quality", "dark skin", "light skin"].adjusted > 0.05


def test_the_section_speaks_of_presentation_only(base: AuditSection) -> None:
    told = " ".join((*base.findings, *base.notes, *(str(table.records()) for table in base.tables)))
    assert "gender" not in told.lower()
    assert "presentation" in told
