"""Run and score suites.

suite -> plan (pure) -> generate -> store the file -> decode once -> encode -> measure -> aggregate.
MLflow, reports, comparisons and gates read the run folder afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from ..generators.base import Generator, unsuited
from ..generators.identity import identity_of, source_in
from ..metrics.encoders.base import EncoderOptions
from ..safety.attacks.withhold import Withheld, is_attack, is_red_team
from .core.counts import counted
from .core.errors import UsageError
from .core.items import Item
from .core.keys import Json, file_sha256
from .core.progress import note, track
from .core.run_data import ClipRecord, Score
from .core.storage import Folder, Place, Storage, storage_at
from .execution.finished import is_finished, keep_finished, may_be_finished, scoring_digest
from .execution.generation import generate
from .execution.team import Team, made_here, refuse_unbuildable
from .execution.warnings import (
    name_lost_clips,
    say_copies,
    say_failures,
    say_formats,
    warn_of_foreign,
    warn_of_unasked,
)
from .execution.workers import Workers, worker_fields
from .plan import Plan, make_plan, suite_items
from .results.summary import Summary, summarise, with_judges, write_summary
from .run_folder.digests import SCORES, differences, keep_digests, refuse_changed
from .run_folder.record import environment, new_run_fields, use_threads
from .run_folder.reuse import refuse_other_generator, reuse_clips
from .run_folder.store import REFERRED, RunStore, open_run, single_writer
from .scoring.clips import PROVISIONAL, Scorer
from .scoring.instruments import Instruments, check_encoders, instruments, measure_fields
from .scoring.sets import named_slices
from .suites.starts import check_starts
from .suites.suite import Suite

__all__ = ["Settings", "check_items", "plan_run", "run", "score_run"]


_READ_TOGETHER = 64
"""Records of clips that are read from the database at once."""
_Team: TypeAlias = "AbstractContextManager[Team | None]"


@dataclass(frozen=True)
class Settings:
    """How to run a suite.

    Attributes:
        cache: folder of the feature cache, shared by runs; or the address of a prefix of an object store.
        options: device and dtype of the encoders. The dtype changes numbers, and is in the encoders' digests.
        retry_failed: generate again the items that failed.
        threads: CPU threads of PyTorch; None keeps the current number. It can change the last digits of
            features, and is stored in the run's record (see `record`).
        stop_after: stop generating after so many items in a row that fail for the same reason; 0 never does.
        reuse: folder of a run of the same generator; its clips are taken for the items that it has.
        clips: where a new run stores its clips if not in its own folder: another folder or such an address,
            which runs may share. A run that has begun keeps to its own.
        workers: processes, and perhaps a cluster, that generate and score. Without ``threads``, a worker has
            one; so has the driver then, which computes sets.
        notes: further fields of a new run's record; not part of its identity.
    """

    cache: Place = "cache"
    options: EncoderOptions = field(default_factory=EncoderOptions)
    retry_failed: bool = False
    threads: int | None = None
    stop_after: int = 10
    reuse: Path | None = None
    clips: str | None = None
    workers: Workers = field(default_factory=Workers)
    notes: Mapping[str, Json] = field(default_factory=dict[str, "Json"])

    @property
    def threads_used(self) -> int | None:
        """The threads to use: as many as were asked for, or one if workers share the machine."""
        return 1 if self.threads is None and self.workers.elsewhere else self.threads

    def team(self, store: RunStore, suite: Suite, tools: Instruments, generator: Generator | None) -> _Team:
        """Describe the workers; None where the work is done in this process."""
        if not self.workers.elsewhere:
            return nullcontext()
        return Team(self.workers, store, suite, tools, self.options, generator)


def run(suite: Suite, generator: Generator, out: Path, settings: Settings | None = None) -> Summary:
    """Run a suite on a generator into the folder ``out``, or finish a run of the same plan there.

    Raises:
        UsageError: ``out`` holds another plan, a name is unknown, weights are missing, or the generator
            cannot make the suite's clips. Nothing is generated then.
    """
    settings = settings or Settings()
    refuse_unbuildable(settings.workers, settings.options, generator)
    tools = instruments(suite, settings.cache, settings.options)
    plan = plan_run(suite, generator)
    tools.scorer.prepare(plan.items)
    _ = named_slices(suite.slices, plan.items)
    attacks = [item.prompt or "" for item in plan.items if is_red_team(item) or is_attack(item)]
    clean = Withheld(attacks).clean  # what an attack says is not printed unless asked for
    for one, other in suite.alike()[:3]:
        note(f"warning: the prompts {clean(one)!r} and {clean(other)!r} differ in case or composition alone")
    for warning in check_items(generator, plan.items):
        note(f"warning: {clean(warning)}")
    if source_in(plan.generator) is None:
        note(
            f"warning: the source code of {generator.spec} cannot be read, so a change of it will not be "
            "noticed; choose another --out after one"
        )
    elsewhere = _clips_elsewhere(settings.clips)
    _refuse_overlap(out, elsewhere, generator)
    warn_of_foreign({"generator_spec": generator.spec, "world": generator.world}, tools.sources)
    warn_of_unasked(plan.items, suite.measures)
    asked = scoring_digest(tools, suite.slices)
    ready = not may_be_finished(out, asked)  # what is finished needs no PyTorch, which takes seconds to load
    if ready:
        _prepare(tools, settings)
    if not (out / "run.json").exists():  # what is refused leaves no folder behind
        check_encoders(tools)
        if elsewhere:
            _ = storage_at(elsewhere).identify()
        if settings.reuse is not None:
            refuse_other_generator(plan, settings.reuse)
    with single_writer(out):
        new = not (out / "run.json").exists()
        record = (
            {
                **_record(suite, generator, tools, out.name),
                **worker_fields(settings.workers),
                **({"clips": elsewhere} if elsewhere else {}),
                **settings.notes,
            }
            if new
            else {}
        )
        store = RunStore.create(out, plan, record)
        _refuse_other_place(store, elsewhere)
        _refuse_other_instruments(store, tools)
        unchanged = is_finished(store, asked)
        if not unchanged:
            _check_unchanged(store, plan.items)
        store.sweep()
        forgotten = store.forget_failures() if settings.retry_failed else 0
        if not new:
            unfinished = sum(store.outcomes().values()) < len(plan.items)
            name_lost_clips(store, unfinished=unfinished and not settings.retry_failed)
        if unchanged and not forgotten:
            say_failures(store)
            return _told(store, scored=False)
        if not ready:
            _prepare(tools, settings)
        use_threads(settings.threads_used, store.record)
        if sum(store.outcomes().values()) < len(plan.items):
            check_encoders(tools)
        reused = () if settings.reuse is None else reuse_clips(plan, store, settings.reuse)
        with settings.team(store, suite, tools, generator) as team:
            elsewhere = None if team is None or made_here(generator) else team.generate
            generate(plan, store, generator, settings.stop_after, reused, elsewhere)
            say_failures(store)
            return _score(store, tools, team, asked)


def check_items(generator: Generator, items: Sequence[Item]) -> list[str]:
    """Check the items that a generator can be given; return warnings, one of them on the other items.

    Raises:
        UsageError: it can be given none, a packaged suite's start files are missing, or it refuses one.
    """
    unfit = unsuited(generator, items)
    why = "; ".join(f"{reason} ({count})" for reason, count in Counter(unfit.values()).most_common(3))
    if items and len(unfit) == len(items):
        raise UsageError(f"not one of {counted(len(items), 'item')} can be given to {generator.spec}: {why}")
    warnings = (
        [f"of {counted(len(items), 'item')} {len(unfit)} cannot be given to it: {why}"] if unfit else []
    )
    fit = [item for item in items if item.id not in unfit]
    check_starts(fit)
    return [*warnings, *generator.check(fit)]


def _refuse_overlap(out: Path, elsewhere: str | None, generator: Generator) -> None:
    """Refuse to store clips inside the folder of videos that they come from: they would look like more."""
    places: dict[str, tuple[str, Storage]] = {"run folder": ("--out", Folder(out))}
    if elsewhere:
        places["folder of clips"] = ("--clips", storage_at(elsewhere))
    for source in map(storage_at, generator.sources):
        for what, (option, place) in places.items():
            if source.overlaps(place):
                raise UsageError(
                    f"one of the {what} {place} and the folder of videos {source} lies inside the other; "
                    f"choose another {option}"
                )


def _clips_elsewhere(place: str | None) -> str | None:
    """Name the place of clips in a way that holds in any working folder; None for the run's own folder.

    Raises:
        UsageError: it is no address of a store.
    """
    if place is None:
        return None
    storage = storage_at(place)
    return storage.folder.absolute().as_uri() if isinstance(storage, Folder) else storage.address


def _refuse_other_place(store: RunStore, asked: str | None) -> None:
    """Refuse to go on with a run whose clips are elsewhere than is asked for."""
    there = store.record.get("clips")
    if asked is not None and asked != there:
        raise UsageError(
            f"the clips of {store.folder} are {f'at {there}' if there else 'in its own folder'}; leave "
            "--clips out, or choose another --out"
        )


def score_run(folder: Path, suite: Suite, settings: Settings | None = None) -> Summary:
    """Score an existing run with the measures and encoders of ``suite``, without its generator.

    Raises:
        UsageError: there is no run, some of its clips are not generated yet, or weights are missing.
    """
    settings = settings or Settings()
    refuse_unbuildable(settings.workers, settings.options, None)
    tools = instruments(suite, settings.cache, settings.options)
    asked = scoring_digest(tools, suite.slices)
    ready = not may_be_finished(folder, asked)
    if ready:
        _prepare(tools, settings)
    with single_writer(open_run(folder).folder):
        store = open_run(folder)
        missing = len(store.items()) - sum(store.outcomes().values())
        if missing:
            raise UsageError(
                f"{folder} still lacks {missing} of its {len(store.items())} clips; "
                "finish it with the 'screentest run' that started it"
            )
        unchanged = is_finished(store, asked)
        if not unchanged:
            _check_unchanged(store)
        name_lost_clips(store)
        warn_of_foreign(store.record, tools.sources)
        if unchanged:
            return _told(store, scored=False)
        if not ready:
            _prepare(tools, settings)
        warn_of_unasked(store.items(), suite.measures)
        with settings.team(store, suite, tools, None) as team:
            return _score(store, tools, team, asked)


def _prepare(tools: Instruments, settings: Settings) -> None:
    use_threads(settings.threads_used)
    tools.prepare()


def _check_unchanged(store: RunStore, planned: Sequence[Item] = ()) -> None:
    """Refuse a run that was changed since it was scored; say which of its values are taken anew."""
    changes = differences(store, planned)
    refuse_changed(store, but=SCORES, changes=changes)
    for change in changes:
        note(f"warning: in {store.folder}, {change.what}; what does not match its digest is taken anew")


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
    items = [_named(item, generator) for item in items]
    return make_plan(
        suite,
        items,
        generator=identity_of(generator),
        batch_size=generator.batch_size,
        starts=_start_digests(items),
    )


def _named(item: Item, generator: Generator) -> Item:
    """Add to an item the name of its file, and the text that the generator is given if it is another."""
    file, text = generator.file_of(item), generator.prompt_of(item)
    given = None if text == (item.prompt or "") else text
    return item if (item.file, item.given) == (file, given) else replace(item, file=file, given=given)


def _start_digests(items: Sequence[Item]) -> dict[str, str]:
    """Hash the files that items start from; the generator's check reports missing ones."""
    paths = {path for item in items for path in (item.image, item.video, item.video_to) if path}
    return {path: file_sha256(Path(path)) for path in sorted(paths) if Path(path).is_file()}


def _score(store: RunStore, tools: Instruments, team: Team | None, asked: str) -> Summary:
    for measure in tools.measures:
        store.put_measure(measure.name, measure_fields(measure, tools))
    _score_items(store, tools, team)
    if tools.sets is not None:
        for name, scores in tools.sets.score(store, tools.scorer).items():
            store.put_set_scores(name, scores)
    keep_digests(store)
    keep_finished(store, asked)
    return _told(store, scored=True)


def _told(store: RunStore, *, scored: bool) -> Summary:
    """Summarise a run that is scored to its end, now or, if not ``scored``, before."""
    say_formats(store)
    say_copies(store)
    summary = summarise(store)
    write_summary(store, summary, again=scored)
    return with_judges(summary, store.folder.absolute().parent)


def _score_items(store: RunStore, tools: Instruments, team: Team | None) -> None:
    """Score, item by item, what has no score under its current key."""
    tools.scorer.prepare(store.items())
    todo, standing = _unscored(store, tools.scorer)
    if not todo:
        return
    check_encoders(tools)
    scored = _scored_here(store, tools, todo) if team is None else team.score(todo)
    with track("scores", len(todo)) as ticker, store.grouped(ticker.advance) as group:
        for record, scores in scored:
            outcome, names = standing.get(record.item, ("", frozenset[str]()))
            # Good scores are not replaced by equal ones; a clip that turned out bad has other keys.
            kept = names if record.outcome == outcome else frozenset[str]()
            group.add(record, [score for score in scores if score.measure not in kept])


_Standing: TypeAlias = "tuple[str, frozenset[str]]"
"""An item's outcome, and the measures that have a score under its current key, which is kept."""


def _unscored(store: RunStore, scorer: Scorer) -> tuple[list[Item], dict[str, _Standing]]:
    """List the items that lack a score under its current key, and what stands of those that have some.

    Scores are read a row at a time and their keys are not kept, as a run may be long; what stands is the same
    of most items, and held once.
    """
    todo: list[Item] = []
    standing: dict[str, _Standing] = {}
    shared: dict[_Standing, _Standing] = {}
    scores = store.each_score()
    score = next(scores, None)
    for item, record in zip(store.items(), store.each_clip(), strict=True):
        have: dict[str, str] = {}
        while score is not None and score.item == item.id:
            if _stands(score, record):
                have[score.measure] = score.key
            score = next(scores, None)
        keys = scorer.keys(item, record)
        if any(have.get(name) != key for name, key in keys.items()):
            todo.append(item)
            names = frozenset(name for name, key in keys.items() if have.get(name) == key)
            if names:
                what = (record.outcome, names)
                standing[item.id] = shared.setdefault(what, what)
    return todo, standing


def _stands(score: Score, record: ClipRecord) -> bool:
    """Say whether a stored score is kept if its key is still the same.

    A measure or an encoder that failed on a clip, even in part, is tried again: the cause may have gone.
    """
    settled = score.status != "failed" or record.outcome == "failed"
    return settled and score.intact and not score.evidence.get(PROVISIONAL)


def _scored_here(
    store: RunStore, tools: Instruments, items: Sequence[Item]
) -> Iterator[tuple[ClipRecord, list[Score]]]:
    for start in range(0, len(items), _READ_TOGETHER):
        group = items[start : start + _READ_TOGETHER]
        records = store.clips_of([item.id for item in group])
        for item in group:
            record = records[item.id]
            file = store.clip_file(record) if record.file is not None else None
            yield tools.scorer.score(item, record, file)


def _refuse_other_instruments(store: RunStore, tools: Instruments) -> None:
    """Refuse to overwrite scores of other encoders or versions in `run`; `score` does it on request."""
    for measure in tools.measures:
        stored = store.measures().get(measure.name)
        fields = measure_fields(measure, tools)
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
