"""Audits of generators and runs, with a stand-in audit: planned, run, scored, and what is missing is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from screentest.harness.audit import AuditChoices, audit_generator, audit_run, plan_audits
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.harness.core.presentation import Cell, Table
from screentest.harness.core.registry import Registry
from screentest.harness.core.run_data import RunData
from screentest.harness.run import Settings, run
from screentest.harness.suites.parts import SuitePart
from screentest.harness.suites.suite import ReferenceSet
from screentest.reports.audit_page import write_audit_page
from screentest.reports.build import build_report
from screentest.safety.audits import Audit, AuditSection, audit_sections, by_run

ATTACK = "how to paint a forbidden square"


def section(runs: Sequence[RunData], confidence: float) -> AuditSection:
    count = sum(run.status("motion.flicker", item) == "ok" for run in runs for item in run.items)
    table = Table(
        "by run", ("run", "steadiness"), [(run.name, Cell("0.5", "[0.4, 0.6]", "8 (4)")) for run in runs]
    )
    said = (f"{count} clips are steady at {confidence:g}", f"one prompt was <b>'{ATTACK}'</b>")
    return AuditSection("steady", "Steadiness", said, (table,), ("flat <scenes> only",))


@pytest.fixture
def suite_file(tmp_path, suite) -> str:
    path = tmp_path / "steady.yaml"
    path.write_text(yaml.safe_dump(suite.model_dump(mode="json", exclude_defaults=True)))
    return str(path)


@pytest.fixture
def steady(monkeypatch, suite_file) -> Audit:
    """The only audit there is: it needs flicker and the warping error."""
    one = Audit(
        "steady",
        "is it steady",
        (suite_file,),
        ("motion.flicker", "motion.warping_error"),
        section,
        (suite_file,),
    )
    registry: Registry[Audit] = Registry("audit", Audit)
    registry.add("steady", one)
    for place in ("safety.audits", "harness.audit"):
        monkeypatch.setattr(f"screentest.{place}.AUDITS", registry)
    return one


def change(steady: Audit, monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    registry: Registry[Audit] = Registry("audit", Audit)
    registry.add("steady", replace(steady, **fields))
    for place in ("safety.audits", "harness.audit"):
        monkeypatch.setattr(f"screentest.{place}.AUDITS", registry)


def test_an_audit_runs_its_suite_with_its_measures_and_makes_the_section(steady, generator, cache, tmp_path):
    found = audit_generator(generator, AuditChoices(), tmp_path / "audit", Settings(cache))
    assert not found.missing
    assert [one.title for one in found.sections] == ["Steadiness"]
    assert found.sections[0].findings[0] == "8 clips are steady at 0.95"
    assert set(found.runs[0].measures) == {
        "motion.flicker", "motion.warping_error", "refusal.rate", "failure.rate"
    }  # fmt: skip
    asked = len(generator.asked)
    again = audit_generator(generator, AuditChoices(), tmp_path / "audit", Settings(cache))
    assert (again.sections, len(generator.asked)) == (found.sections, asked)


def test_a_part_of_the_suites_can_be_audited(steady, generator):
    (planned,), missing = plan_audits(generator, AuditChoices(part=SuitePart(limit=2, seeds=1)))
    assert (planned.items, planned.audits, missing) == (2, ("steady",), {})


def test_prompts_of_the_world_are_not_asked_of_a_generator_that_does_not_know_it(
    steady, generator, monkeypatch
):
    change(steady, monkeypatch, other_suites=())
    planned, missing = plan_audits(generator, AuditChoices())
    assert planned == ()
    assert "of the reference world, which drawing:plain does not know" in missing["steady"]
    change(steady, monkeypatch, other_suites=(), any_clip=True)
    assert (
        "name the suite that makes them with --suite" in plan_audits(generator, AuditChoices())[1]["steady"]
    )


def test_a_run_that_cannot_be_made_is_a_missing_audit_and_the_reason_is_kept(
    steady, generator, cache, tmp_path
):
    blocked = tmp_path / "audit" / "drawing"
    blocked.mkdir(parents=True)
    (blocked / "notes.txt").write_text("mine")
    found = audit_generator(generator, AuditChoices(), tmp_path / "audit", Settings(cache))
    assert found.sections == ()
    assert str(blocked) in found.missing["steady"]
    assert (blocked / "notes.txt").read_text() == "mine"


def test_a_run_is_scored_with_what_it_lacks_and_its_scores_stay(steady, suite, generator, cache, tmp_path):
    run(suite, generator, tmp_path / "run", Settings(cache))
    asked = len(generator.asked)
    found = audit_run(tmp_path / "run", AuditChoices(("steady",)), Settings(cache))
    assert len(generator.asked) == asked
    assert "motion.warping_error" in found.runs[0].measures
    assert {"motion.flicker", "refusal.rate"} < set(found.runs[0].measures)
    assert found.sections[0].findings[0].startswith("8 clips")


def test_a_run_that_no_audit_concerns_is_refused(steady, make_suite, generator, cache, tmp_path):
    run(make_suite(measures=["failure.rate"]), generator, tmp_path / "run", Settings(cache))
    with pytest.raises(UsageError, match="no scores of an audit; name what to audit"):
        audit_run(tmp_path / "run", AuditChoices(), Settings(cache))


def test_what_an_attack_says_is_in_no_section(steady, make_suite, generator, cache, tmp_path):
    prompts = [{"text": ATTACK, "tags": ["red-team"]}, {"text": "block"}]
    made = run_of(make_suite(prompts=prompts), generator, tmp_path / "run", cache)
    (found,) = audit_sections([made])
    assert ATTACK not in json.dumps(found.as_json())
    assert found.findings[1] == "one prompt was <b>'[prompt withheld]'</b>"


def test_the_pages_show_the_section_escaped(steady, suite, generator, cache, tmp_path):
    made = run_of(suite, generator, tmp_path / "run", cache)
    page = build_report([tmp_path / "run"]).read_text("utf-8")
    own = write_audit_page(
        tmp_path / "audit.html", "drawing:<plain>", [made], audit_sections([made]), {"bias": "no clips"}, 0.95
    ).read_text("utf-8")
    for text in (page, own):
        assert '<h2 id="audit-steady-h">Steadiness</h2>' in text
        assert '<a href="#audit-steady">Steadiness</a>' in text
        assert "flat &lt;scenes&gt; only" in text
        assert "<b>" not in text
        assert "[0.4, 0.6]" in text
    assert "Audit of drawing:&lt;plain&gt;" in own
    assert "No bias audit: no clips." in own


def test_the_command_audits_a_run_and_writes_its_page(
    steady, suite, generator, cache, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    run(suite, generator, tmp_path / "run", Settings(cache))
    assert run_cli(["audit", "run", "--cache", str(cache), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sections"][0]["tables"][0]["rows"] == [{"run": "run", "steadiness": "0.5 [0.4, 0.6]"}]
    assert Path(found["page"]).is_file()
    assert run_cli(["audit", "run", "--limit", "2"]) == 2
    assert "--limit is for generators" in capsys.readouterr().err
    assert run_cli(["audit", "run", "--reference", "train=nowhere"]) == 2
    assert "there is no such folder of videos" in capsys.readouterr().err


def run_of(suite, generator, folder: Path, cache: Path) -> RunData:
    from screentest.harness.run_folder.store import open_run, read_run

    run(suite, generator, folder, Settings(cache))
    store = open_run(folder)
    data = read_run(store)
    store.close()
    return data


def test_measures_whose_encoder_nobody_names_are_left_out_and_the_others_are_taken(
    steady, generator, monkeypatch
):
    change(steady, monkeypatch, measures=("motion.flicker", "alignment.clip"))
    (planned,), missing = plan_audits(generator, AuditChoices())
    assert (set(planned.suite.measures) >= {"motion.flicker"}, missing) == (True, {})
    assert "alignment.clip" not in planned.suite.measures
    (named,), _ = plan_audits(generator, AuditChoices(encoders={"clip": "reference"}))
    assert "alignment.clip" in named.suite.measures
    change(steady, monkeypatch, measures=("alignment.clip", "fidelity.fvd"))
    planned, missing = plan_audits(generator, AuditChoices())
    assert (planned, missing["steady"]) == (
        (),
        "none of its measures can be taken without --encoder clip=SOURCE, --encoder video=SOURCE, "
        "--reference default=DIR",
    )


def test_a_reference_set_that_no_audit_reads_is_refused(steady, generator):
    with pytest.raises(UsageError, match="unknown reference set of these audits 'trian'"):
        plan_audits(generator, AuditChoices(references={"trian": ReferenceSet(folder="x")}))


@pytest.mark.parametrize(
    ("encoders", "sentence"),
    [
        ({"clpi": "reference"}, "unknown encoder role 'clpi'; did you mean 'clip'?"),
        ({"image": "reference"}, "none of these audits reads the encoder 'image'"),
        ({"clip": "no-such-model"}, "no-such-model"),
    ],
)
def test_a_wrong_encoder_is_refused_before_anything_is_generated(
    steady, suite, generator, cache, tmp_path, monkeypatch, encoders, sentence
):
    change(steady, monkeypatch, measures=("motion.flicker", "alignment.clip"))
    choices = AuditChoices(encoders=encoders)
    with pytest.raises(UsageError, match=sentence):
        audit_generator(generator, choices, tmp_path / "audit", Settings(cache))
    assert not (tmp_path / "audit").exists()
    run(suite, generator, tmp_path / "run", Settings(cache))
    with pytest.raises(UsageError, match=sentence):
        audit_run(tmp_path / "run", choices, Settings(cache))


def test_findings_begin_with_the_run_only_where_there_are_several(suite, generator, cache, tmp_path):
    one, other = (run_of(suite, generator, tmp_path / name, cache) for name in ("one", "other"))
    assert by_run([one], one, ["all is steady"]) == ["All is steady"]
    assert by_run([one, other], other, ["all is steady"]) == ["other: all is steady"]


def test_the_page_keeps_what_was_audited_before(steady, make_suite, generator, cache, tmp_path):
    run(make_suite(name="older"), generator, tmp_path / "audit" / "older", Settings(cache))
    found = audit_generator(generator, AuditChoices(), tmp_path / "audit", Settings(cache))
    assert [run.name for run in found.runs] == ["drawing"]
    assert [run.name for run in found.all_runs] == ["drawing", "older"]
    assert found.sections[0].findings[0].startswith("8 clips")
    assert found.all_sections[0].findings[0].startswith("16 clips")


def test_a_run_whose_further_scores_cannot_be_taken_is_not_whole(
    steady, suite, generator, cache, tmp_path, monkeypatch
):
    run(suite, generator, tmp_path / "run", Settings(cache))

    def fails(*args: object) -> None:
        raise UsageError("the clips are gone")

    monkeypatch.setattr("screentest.harness.audit.score_run", fails)
    found = audit_run(tmp_path / "run", AuditChoices(), Settings(cache))
    assert (len(found.sections), found.missing) == (1, {"steady": "the clips are gone"})


def test_a_run_that_has_all_scores_is_not_scored_again(
    steady, suite, generator, cache, tmp_path, monkeypatch
):
    change(steady, monkeypatch, measures=("motion.flicker",))
    run(suite, generator, tmp_path / "run", Settings(cache))
    monkeypatch.setattr("screentest.harness.audit.score_run", None)
    found = audit_run(tmp_path / "run", AuditChoices(), Settings(cache))
    assert (len(found.sections), found.missing) == (1, {})


def test_an_audit_that_rests_on_no_value_is_missing(steady, suite, generator, cache, tmp_path, monkeypatch):
    change(steady, monkeypatch, verdicts=("motion.warping_error",), measures=("motion.flicker",))
    found = audit_generator(generator, AuditChoices(), tmp_path / "audit", Settings(cache))
    assert len(found.sections) == 1
    assert found.missing["steady"].startswith("it rests on no value: 8 clips are steady")
    data = found.runs[0]
    assert not replace(steady, verdicts=()).judged([replace(data, scores={}, sets={})])
    assert replace(steady, verdicts=(), measures=("motion.flicker",)).judged([data])


def test_a_target_that_is_neither_a_run_nor_a_generator_is_told_of_both(capsys):
    assert run_cli(["audit", "runs/nope", "--provenance"]) == 2
    assert "there is no run at runs/nope, and no kind of generator" in capsys.readouterr().err
    assert run_cli(["audit", "referense:base"]) == 2
    assert "did you mean 'reference'" in capsys.readouterr().err


def test_a_generator_that_cannot_be_made_is_wrong_usage(tmp_path, capsys):
    out = tmp_path / "audit"
    words = [f"folder:{tmp_path / 'nope'}", "--detect", "--suite", "videos", "--out", str(out)]
    words += ["--cache", str(tmp_path / "cache"), "--tracking-uri", "none"]
    for more in ([], ["--dry-run"]):
        assert run_cli(["audit", *words, *more]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err == f"error: there is no folder {tmp_path / 'nope'}\n"
    assert not out.exists()


@pytest.mark.parametrize("own", ["train", "held_out"])
def test_a_set_of_the_users_is_not_audited_beside_one_of_the_world(own, tmp_path, capsys):
    mine, out = tmp_path / "mine", tmp_path / "audit"
    mine.mkdir()
    words = ["audit", "reference:base", "--memorisation", "--reference", f"{own}={mine}", "--out", str(out)]
    assert run_cli([*words, "--cache", str(tmp_path / "cache"), "--tracking-uri", "none"]) == 2
    assert f"the reference set '{own}' is the folder {mine}" in capsys.readouterr().err
    assert not list(tmp_path.glob("audit/*"))
    assert not (tmp_path / "cache").exists()
