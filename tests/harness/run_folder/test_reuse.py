"""Clips of an earlier run in a new one: what is the same is not made again."""

from __future__ import annotations

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.run import Settings, plan_run, run
from screentest.harness.run_folder.store import open_run

PROMPTS = [{"text": f"block number {k}"} for k in range(4)]


def test_a_longer_suite_costs_only_its_new_items(tmp_path, make_suite, make_generator, cache):
    run(make_suite(prompts=PROMPTS), make_generator(3), tmp_path / "a", Settings(cache))
    longer = make_suite(prompts=[{"text": "one before all others"}, *PROMPTS], seeds=3)
    second = make_generator(3)
    reusing = Settings(cache, reuse=tmp_path / "a")
    summary = run(longer, second, tmp_path / "b", reusing)
    assert summary.outcomes["ok"] == 15
    assert len(second.asked) == 15 - 8
    first = open_run(tmp_path / "a").clips()
    assert {k: v.sha256 for k, v in open_run(tmp_path / "b").clips().items() if k in first} == {
        k: v.sha256 for k, v in first.items()
    }
    assert run(longer, second, tmp_path / "b", reusing) == summary  # the same command finishes it
    assert len(second.asked) == 15 - 8
    fresh = run(longer, make_generator(3), tmp_path / "c", Settings(cache))
    assert fresh.get("motion.flicker") == summary.get("motion.flicker")


def test_refusals_are_reused_and_failures_are_asked_again(tmp_path, make_suite, make_generator, cache):
    prompts = [{"text": t} for t in ("a block", "refuse this", "fail at this")]
    run(make_suite(prompts=prompts), make_generator(1), tmp_path / "a", Settings(cache))
    second = make_generator(1)
    again = make_suite(version=2, prompts=prompts)
    done = run(again, second, tmp_path / "b", Settings(cache, reuse=tmp_path / "a"))
    assert done.outcomes == {"ok": 2, "refused": 2, "failed": 2}
    assert len(second.asked) == 2


def test_another_generator_and_a_changed_clip_are_refused(tmp_path, make_suite, make_generator, cache):
    run(make_suite(), make_generator(2), tmp_path / "a", Settings(cache))
    other = make_generator(2)
    other.identity = lambda: {"kind": "drawing", "version": 2}
    reusing = Settings(cache, reuse=tmp_path / "a")
    with pytest.raises(UsageError, match="made by another generator, or by other settings or weights"):
        run(make_suite(), other, tmp_path / "b", reusing)
    clip = next((tmp_path / "a" / "clips").iterdir())
    clip.write_bytes(b"not it")
    with pytest.raises(UsageError, match=r"is gone, or not what was stored; restore it"):
        run(make_suite(version=2), make_generator(2), tmp_path / "c", reusing)


def test_a_changed_clip_of_the_new_run_leaves_the_earlier_one_alone(
    tmp_path, make_suite, make_generator, cache
):
    run(make_suite(), make_generator(2), tmp_path / "a", Settings(cache))
    before = {p.name: p.read_bytes() for p in (tmp_path / "a" / "clips").iterdir()}
    run(make_suite(version=2), make_generator(2), tmp_path / "b", Settings(cache, reuse=tmp_path / "a"))
    for path in (tmp_path / "b" / "clips").iterdir():
        path.unlink()
    assert {p.name: p.read_bytes() for p in (tmp_path / "a" / "clips").iterdir()} == before


def test_what_is_refused_leaves_no_folder_behind(tmp_path, make_suite, make_generator, cache):
    run(make_suite(), make_generator(2), tmp_path / "a", Settings(cache))
    other = make_generator(2)
    other.identity = lambda: {"kind": "drawing", "version": 2}
    with pytest.raises(UsageError, match="made by another generator"):
        run(make_suite(), other, tmp_path / "b", Settings(cache, reuse=tmp_path / "a"))
    assert not (tmp_path / "b").exists()


def test_prompts_that_share_a_clip_are_counted(tmp_path, make_suite, make_generator, cache, capsys):
    generator = make_generator(1)
    first = generator.generate(list(plan_run(make_suite(), generator).items[:1]))
    generator.generate = lambda _: first
    run(make_suite(), generator, tmp_path / "run", Settings(cache))
    assert (
        "warning: 4 prompts share their clip, byte for byte, with another prompt" in capsys.readouterr().err
    )
    run(make_suite(), make_generator(1), tmp_path / "unlike", Settings(cache))
    assert "byte for byte" not in capsys.readouterr().err
