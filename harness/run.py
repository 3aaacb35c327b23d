"""Run and score suites.

suite -> plan (pure) -> generate -> store the file -> decode once -> encode -> measure -> aggregate.
MLflow, reports, comparisons and gates read the run folder afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..generators.base import Generator
from ..generators.identity import identity_of, source_in
from ..metrics.base import DEFAULT, Measure, Setting
from ..metrics.encoders.base import Encoder, EncoderOptions
from ..metrics.encoders.cache import FeatureCache
from ..metrics.encoders.probe import check_encoder
from ..metrics.laws.thresholds import ThresholdFile, chosen_thresholds, refuse_others
from ..metrics.quality.outcomes import format_differences
from ..metrics.tracking.encoder import TracksEncoder
from ..safety.attacks.withhold import Withheld, is_attack, is_red_team
from .catalog import ENCODERS, MEASURES, encoder_of, encoder_roles, make_encoder
from .core.errors import UsageError, unknown_name
from .core.items import Item
from .core.keys import Json, file_sha256
from .core.progress import note, track
from .core.run_data import Score
from .digests import SCORES, differences, keep_digests, refuse_changed
from .foreign_encoders import foreign_sentence
from .generation import generate
from .generation_log import LOG
from .plan import Plan, make_plan, suite_items
from .record import environment, new_run_fields, use_threads
from .reference_sets import ReferenceClips
from .reuse import refuse_other_generator, reuse_clips
from .scoring import PROVISIONAL, TEXT, Scorer
from .set_scoring import SetScorer, named_slices
from .store import REFERRED, RunStore, open_run, single_writer
from .suite import Suite
from .summary import Summary, summarise, write_summary

__all__ = ["Instruments", "Settings", "instruments", "plan_run", "run", "score_run"]


@dataclass(frozen=True)
class Settings:
    """How to run a suite.

    Attributes:
        cache: folder of the feature cache, shared by runs.
        options: device and dtype of the encoders. The dtype changes numbers, and is in the encoders' digests.
        retry_failed: generate again the items that failed.
        threads: CPU threads of PyTorch; None keeps the current number. It can change the last digits of
            features, and is stored in the run's record (see `record`).
        stop_after: stop generating after so many items in a row that fail for the same reason; 0 never does.
        reuse: folder of a run of the same generator; its clips are taken for the items that it has.
        notes: further fields of a new run's record; not part of its identity.
    """

    cache: Path = Path("cache")
    options: EncoderOptions = field(default_factory=EncoderOptions)
    retry_failed: bool = False
    threads: int | None = None
    stop_after: int = 10
    reuse: Path | None = None
    notes: Mapping[str, Json] = field(default_factory=dict[str, "Json"])


@dataclass(frozen=True)
class Instruments:
    """The measures of a run, and the encoders that they need."""

    measures: tuple[Measure, ...]
    encoders: Mapping[str, Encoder]
    scorer: Scorer
    sets: SetScorer | None
    sources: Mapping[str, str]
    settings: Mapping[str, Setting] = field(default_factory=dict[str, Setting])
    checked: set[int] = field(default_factory=set[int])


def run(suite: Suite, generator: Generator, out: Path, settings: Settings | None = None) -> Summary:
    """Run a suite on a generator into the folder ``out``, or finish a run of the same plan there.

    Raises:
        UsageError: ``out`` holds another plan, a name is unknown, weights are missing, or the generator
            cannot make the suite's clips. Nothing is generated then.
    """
    settings = settings or Settings()
    use_threads(settings.threads)
    tools = instruments(suite, settings)
    plan = plan_run(suite, generator)
    tools.scorer.prepare(plan.items)
    _ = named_slices(suite.slices, plan.items)
    attacks = [item.prompt or "" for item in plan.items if is_red_team(item) or is_attack(item)]
    clean = Withheld(attacks).clean  # what an attack says is not printed unless asked for
    for one, other in suite.alike()[:3]:
        note(f"warning: the prompts {clean(one)!r} and {clean(other)!r} differ in case or composition alone")
    for warning in generator.check(plan.items):
        note(f"warning: {clean(warning)}")
    if source_in(plan.generator) is None:
        note(
            f"warning: the source code of {generator.spec} cannot be read, so a change of it will not be "
            "noticed; choose another --out after one"
        )
    _refuse_overlap(out, generator)
    _warn_of_foreign({"generator_spec": generator.spec, "world": generator.world}, tools)
    if tools.sets is not None:
        tools.sets.prepare()
    if not (out / "run.json").exists():  # what is refused leaves no folder behind
        check_encoders(tools)
        if settings.reuse is not None:
            refuse_other_generator(plan, settings.reuse)
    with single_writer(out):
        new = not (out / "run.json").exists()
        record = {**_record(suite, generator, tools, out.name), **settings.notes} if new else {}
        store = RunStore.create(out, plan, record)
        use_threads(settings.threads, store.record)
        _refuse_other_instruments(store, tools)
        _check_unchanged(store)
        store.sweep()
        if settings.retry_failed:
            store.forget_failures()
        if not new:
            _name_lost_clips(store)
        if len(store.clips()) < len(plan.items):
            check_encoders(tools)
        reused = () if settings.reuse is None else reuse_clips(plan, store, settings.reuse)
        generate(plan, store, generator, settings.stop_after, reused)
        _say_failures(store)
        return _score(store, tools)


def _say_failures(store: RunStore) -> None:
    """Count the items that failed, and name the option that generates them again."""
    clips = store.clips().values()
    failed = sum(record.outcome == "failed" and record.file is None for record in clips)
    if failed:
        note(
            f"warning: {failed} of {len(clips)} items failed and are kept as failures; the same command with "
            f"--retry-failed generates them again; {store.folder / LOG} says more"
        )


def _warn_of_foreign(record: Mapping[str, Json], tools: Instruments) -> None:
    """Warn of encoders that are used outside the world that they were trained on."""
    told = foreign_sentence(record, [{"sources": tools.sources}])
    if told:
        note(f"warning: {told}; a policy with 'foreign_encoders: refuse' passes no rule on them")


def _refuse_overlap(out: Path, generator: Generator) -> None:
    """Refuse a run folder inside the folder of videos it reads: its clips would look like further videos."""
    for source in generator.sources:
        here, there = out.resolve(), source.resolve()
        if here.is_relative_to(there) or there.is_relative_to(here):
            raise UsageError(
                f"one of the run folder {out} and the folder of videos {source} lies inside the other; "
                "choose another --out"
            )


def score_run(folder: Path, suite: Suite, settings: Settings | None = None) -> Summary:
    """Score an existing run with the measures and encoders of ``suite``, without its generator.

    Raises:
        UsageError: there is no run, some of its clips are not generated yet, or weights are missing.
    """
    settings = settings or Settings()
    use_threads(settings.threads)
    tools = instruments(suite, settings)
    if tools.sets is not None:
        tools.sets.prepare()
    with single_writer(open_run(folder).folder):
        store = open_run(folder)
        missing = len(store.items()) - len(store.clips())
        if missing:
            raise UsageError(
                f"{folder} still lacks {missing} of its {len(store.items())} clips; "
                "finish it with the 'screentest run' that started it"
            )
        _check_unchanged(store)
        _name_lost_clips(store)
        _warn_of_foreign(store.record, tools)
        return _score(store, tools)


def _check_unchanged(store: RunStore) -> None:
    """Refuse a run that was changed since it was scored; say which of its values are taken anew."""
    changes = differences(store)
    refuse_changed(store, but=SCORES, changes=changes)
    for change in changes:
        note(f"warning: in {store.folder}, {change.what}; what does not match its digest is taken anew")


def _name_lost_clips(store: RunStore) -> None:
    """Name the clips that are gone or changed: their scores stand, and no gate passes them."""
    states = store.changed_clips()
    for record in store.clips().values():
        state = states.get(record.file or "")
        if state is not None:
            note(
                f"warning: the clip {record.file} of item {record.item[:12]} is {state}; restore it, or let "
                "'screentest run' with --retry-failed ask for it anew"
            )


def plan_run(suite: Suite, generator: Generator) -> Plan:
    """Plan the items of ``suite`` on ``generator``.

    Raises:
        UsageError: the suite needs items from a folder of videos, and the generator is not one.
    """
    if suite.prompts_from_generator:
        items = generator.own_items(suite.clip)
        if items is None:
            raise UsageError(
                f"the suite {suite.name!r} takes its items from a folder of videos, and {generator.spec!r} "
                "is not one; give --generator folder:PATH, or a suite with prompts"
            )
    else:
        items = suite_items(suite)
    items = tuple(replace(item, file=generator.file_of(item)) for item in items)
    return make_plan(
        suite,
        items,
        generator=identity_of(generator),
        batch_size=generator.batch_size,
        starts=_start_digests(items),
    )


def _start_digests(items: Sequence[Item]) -> dict[str, str]:
    """Hash the files that items start from; the generator's check reports missing ones."""
    paths = {path for item in items for path in (item.image, item.video, item.video_to) if path}
    return {path: file_sha256(Path(path)) for path in sorted(paths) if Path(path).is_file()}


def instruments(suite: Suite, settings: Settings) -> Instruments:
    """Find the measures of a suite and build the encoders that they need, without loading weights.

    Raises:
        UsageError: an unknown measure, an encoder that the suite does not name, or no reference set for a
            set measure.
        MissingWeightsError: an encoder's weights are not on this machine.
    """
    measures = tuple(MEASURES.get(name) for name in dict.fromkeys(suite.measures))
    for role in suite.encoders:
        if role not in encoder_roles():
            raise unknown_name("encoder role", role, encoder_roles())
    by_name: dict[str, Encoder] = {}
    encoders: dict[str, Encoder] = {}
    for measure in measures:
        for feature in measure.needs:
            name = encoder_of(feature)
            if name not in by_name:
                options = replace(settings.options, cache=settings.cache)
                by_name[name] = _encoder(name, measure.name, suite, options)
            encoders[feature] = by_name[name]
    for encoder in by_name.values():
        _ = encoder.digest  # missing weights are an error now, not after an hour of generating
    cache = FeatureCache(settings.cache)
    chosen = {name for measure in measures for name in measure.settings}
    read = {"thresholds": _thresholds(suite, encoders)} if "thresholds" in chosen else {}
    scorer = Scorer([m for m in measures if m.kind != "set"], encoders, cache, read)
    of_sets = [m for m in measures if m.kind == "set"]
    sets = None
    if of_sets:
        sets = SetScorer(of_sets, encoders, _references(of_sets, suite), cache, suite.slices)
    sources = {name: suite.encoders[name] for name in by_name if name in encoder_roles()}
    return Instruments(measures, encoders, scorer, sets, sources, read)


def check_encoders(tools: Instruments) -> None:
    """Let each encoder load its weights and try them, once in a process.

    Raises:
        ScreentestError: weights or parts are missing or damaged, or give what means nothing.
    """
    texts = {id(encoder) for name, encoder in tools.encoders.items() if name.endswith(TEXT)}
    for key, encoder in {id(encoder): encoder for encoder in tools.encoders.values()}.items():
        if key not in tools.checked:
            check_encoder(encoder, texts=key in texts)
            tools.checked.add(key)


def _thresholds(suite: Suite, encoders: Mapping[str, Encoder]) -> ThresholdFile:
    """Read the thresholds of laws that a suite names, or the packaged ones.

    Raises:
        UsageError: they were computed for another tracker than the suite's.
    """
    path = None if suite.thresholds is None else Path(suite.thresholds)
    tracker = encoders.get("tracks")
    if path is not None and isinstance(tracker, TracksEncoder):
        refuse_others(path, tracker.source.identity())
    return chosen_thresholds(path)


def _references(measures: Sequence[Measure], suite: Suite) -> dict[str, ReferenceClips]:
    """Open the reference sets that the set measures need."""
    found: dict[str, ReferenceClips] = {}
    for measure in measures:
        for name in measure.references:
            if name not in suite.references:
                which, key = (
                    ("a reference set", "reference_set: ")
                    if name == DEFAULT
                    else (f"the reference set {name!r}", f"reference_sets: {name}: ")
                )
                raise UsageError(
                    f"{measure.name} compares with {which} and the suite {suite.name!r} names none; "
                    f"add '{key}{{folder: PATH}}' or '{{world: reference}}' to it"
                )
            if name not in found:
                found[name] = ReferenceClips(suite.references[name], suite.clip)
    return found


def _encoder(name: str, measure: str, suite: Suite, options: EncoderOptions) -> Encoder:
    if name not in encoder_roles():
        return make_encoder(name, None, options)
    if name not in suite.encoders:
        shipped = ENCODERS.get(name).shipped
        kinds = "reference, a Hugging Face id, or a folder" if shipped else "a model, or a file of settings"
        raise UsageError(
            f"{measure} needs the encoder {name!r} and the suite {suite.name!r} does not say which; "
            f"add 'encoders: {{{name}: ...}}' to it or give --encoder {name}=SOURCE "
            f"({kinds})"
        )
    return make_encoder(name, suite.encoders[name], options)


def _score(store: RunStore, tools: Instruments) -> Summary:
    for measure in tools.measures:
        store.put_measure(measure.name, _measure_fields(measure, tools))
    _score_items(store, tools)
    if tools.sets is not None:
        for name, scores in tools.sets.score(store, tools.scorer).items():
            store.put_set_scores(name, scores)
    keep_digests(store)
    _say_formats(store)
    _say_copies(store)
    summary = summarise(store)
    write_summary(store, summary)
    return summary


def _say_copies(store: RunStore) -> None:
    """Count the clips of different prompts that are the same file: they are no independent evidence."""
    prompts = {item.id: item.cluster for item in store.items()}
    of: dict[str, set[str]] = {}
    for record in store.clips().values():
        if record.sha256 is not None:
            of.setdefault(record.sha256, set()).add(prompts[record.item])
    copies = sum(len(shared) for shared in of.values() if len(shared) > 1)
    if copies:
        note(
            f"warning: {copies} prompts share their clip, byte for byte, with another prompt; intervals take "
            "them for independent and are too narrow"
        )


def _say_formats(store: RunStore) -> None:
    """Count the clips whose size, length or rate is not what the suite asked for."""
    clips = store.clips()
    asked = [item for item in store.items() if item.source is None]
    differs: Counter[str] = Counter()
    others = 0
    for item in asked:
        record = clips.get(item.id)
        if record is not None and record.info is not None:
            found = format_differences(item, record.info)
            others += bool(found)
            differs.update(found)
    if others:
        listed = ", ".join(f"{what} ({count})" for what, count in differs.most_common(3))
        more = f" and {len(differs) - 3} more" if len(differs) > 3 else ""
        note(
            f"warning: {others} of {len(asked)} clips are not as the suite asked: {listed}{more}; a rule on "
            "failure.format can refuse them"
        )


def _score_items(store: RunStore, tools: Instruments) -> None:
    """Score, item by item, what has no score under its current key."""
    records = store.clips()
    tools.scorer.prepare(store.items())
    # A measure or an encoder that failed on a clip, even in part, is tried again: the cause may have gone.
    have = {
        (s.item, s.measure): s.key
        for s in store.scores()
        if (s.status != "failed" or records[s.item].outcome == "failed")
        and s.intact
        and not s.evidence.get(PROVISIONAL)
    }
    todo = [
        item
        for item in store.items()
        if any(
            have.get((item.id, name)) != key
            for name, key in tools.scorer.keys(item, records[item.id]).items()
        )
    ]
    if not todo:
        return
    check_encoders(tools)
    with track("scores", len(todo)) as ticker, store.grouped(ticker.advance) as group:
        for item in todo:
            record = records[item.id]
            path = store.clip_path(record) if record.file is not None else None
            record, scores = tools.scorer.score(item, record, path)
            group.add(record, _without_unchanged(scores, have))


def _without_unchanged(scores: Sequence[Score], have: Mapping[tuple[str, str], str]) -> list[Score]:
    """Drop new scores that equal stored ones by their key, so that good scores are not replaced."""
    return [s for s in scores if have.get((s.item, s.measure)) != s.key]


def _measure_fields(measure: Measure, tools: Instruments) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "version": measure.version,
        "kind": measure.kind,
        "better": measure.better,
        "bounds": measure.bounds,
        "unit": measure.unit,
        "summary": measure.summary,
        "encoders": {name: tools.encoders[name].digest for name in measure.needs},
    }
    roles = dict.fromkeys(encoder_of(name) for name in measure.needs)
    fields["sources"] = {role: tools.sources[role] for role in roles if role in tools.sources}
    if measure.values:
        fields["values"] = {
            name: {"better": one.better, "bounds": one.bounds, "unit": one.unit}
            for name, one in measure.values.items()
        }
    if measure.settings:
        fields["settings"] = {name: tools.settings[name].digest for name in measure.settings}
    if measure.kind == "set" and tools.sets is not None:
        digests = tools.sets.digests(measure)
        fields["reference_set"] = digests.pop(DEFAULT, None)
        if digests:
            fields["reference_sets"] = dict(digests)
    return fields


def _refuse_other_instruments(store: RunStore, tools: Instruments) -> None:
    """Refuse to overwrite scores of other encoders or versions in `run`; `score` does it on request."""
    for measure in tools.measures:
        stored = store.measures().get(measure.name)
        fields = _measure_fields(measure, tools)
        differing = [what for what in REFERRED if stored is not None and stored.get(what) != fields.get(what)]
        if differing:
            raise UsageError(
                f"{store.folder} holds {measure.name} with other {' and '.join(differing)}; choose another "
                f"--out, or let 'screentest score {store.folder}' replace those scores"
            )


def _record(suite: Suite, generator: Generator, tools: Instruments, name: str) -> dict[str, Json]:
    return {
        **new_run_fields(name),
        "suite": suite.model_dump(mode="json"),
        "generator": dict(identity_of(generator)),
        "generator_spec": generator.spec,
        "world": generator.world,
        "encoders": {
            role: {
                "source": source,
                "digest": tools.encoders[role].digest,
                "identity": dict(tools.encoders[role].identity()),
            }
            for role, source in tools.sources.items()
        },
        "settings": {name: setting.digest for name, setting in tools.settings.items()},
        **environment(),
    }
