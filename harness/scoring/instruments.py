"""The measures of a suite and the encoders behind them: found, built, tried, and described for the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...metrics.base import DEFAULT, Measure, Setting
from ...metrics.encoders.base import Encoder, EncoderOptions
from ...metrics.encoders.cache import FeatureCache
from ...metrics.encoders.probe import check_encoder
from ...metrics.laws.thresholds import ThresholdFile, chosen_thresholds, refuse_others
from ...metrics.tracking.encoder import TracksEncoder
from ...safety.memorisation.measures import SETTING as TRAINING_SETS
from ...safety.memorisation.training_sets import HELD_OUT, INDEXED, TRAIN, TrainingSets, check_held_out
from ..catalog import ENCODERS, MEASURES, encoder_of, encoder_roles, make_encoder, role_of
from ..core.errors import UsageError, unknown_name
from ..core.keys import Json
from ..core.storage import Place
from ..suites.reference_sets import ReferenceClips
from ..suites.suite import Suite
from .clips import TEXT, Scorer
from .sets import SetScorer

__all__ = ["Instruments", "check_encoders", "instruments", "measure_fields", "refuse_mixed_sets"]


@dataclass(frozen=True)
class Instruments:
    """The measures of a run, the encoders that they need, and the cache of their features."""

    measures: tuple[Measure, ...]
    encoders: Mapping[str, Encoder]
    features: FeatureCache
    scorer: Scorer
    sets: SetScorer | None
    sources: Mapping[str, str]
    settings: Mapping[str, Setting] = field(default_factory=dict[str, Setting])
    checked: set[int] = field(default_factory=set[int])

    def prepare(self) -> None:
        """Encode the reference sets, so that an error in one appears before anything is generated."""
        if self.sets is not None:
            self.sets.prepare()
        for setting in self.settings.values():
            if isinstance(setting, TrainingSets):
                setting.prepare()


def instruments(
    suite: Suite, cache: Place, options: EncoderOptions, features: FeatureCache | None = None
) -> Instruments:
    """Find the measures of a suite and build the encoders that they need, without loading weights.

    Args:
        suite: names the measures, and the sources of encoders and reference sets.
        cache: folder or address of the feature cache.
        options: of the encoders.
        features: another cache of features than that of the folder.

    Raises:
        UsageError: an unknown measure, an encoder that the suite does not name, or no reference set for a
            set measure.
        MissingWeightsError: an encoder's weights are not on this machine.
    """
    measures = tuple(MEASURES.get(name) for name in dict.fromkeys(suite.measures))
    for role in suite.encoders:
        if role not in encoder_roles():
            raise unknown_name("encoder role", role, encoder_roles())
    features = FeatureCache(cache) if features is None else features
    by_name: dict[str, Encoder] = {}
    encoders: dict[str, Encoder] = {}
    for measure in measures:
        for feature in measure.needs:
            name = encoder_of(feature)
            if name not in by_name:
                by_name[name] = _encoder(name, measure.name, suite, replace(options, cache=features.folder))
            encoders[feature] = by_name[name]
    for encoder in by_name.values():
        _ = encoder.digest  # missing weights are an error now, not after an hour of generating
    chosen = {name for measure in measures for name in measure.settings}
    read: dict[str, Setting] = {}
    if "thresholds" in chosen:
        read["thresholds"] = _thresholds(suite, encoders)
    if TRAINING_SETS in chosen:
        read[TRAINING_SETS] = _training_sets(measures, encoders, suite, features)
    scorer = Scorer([m for m in measures if m.kind != "set"], encoders, features, read)
    of_sets = [m for m in measures if m.kind == "set"]
    sets = None
    if of_sets:
        sets = SetScorer(of_sets, encoders, _references(of_sets, suite), features, suite.slices)
    roles = [role for role in map(role_of, by_name) if role is not None]
    sources = {role: suite.encoders[role] for role in roles}
    return Instruments(measures, encoders, features, scorer, sets, sources, read)


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


def measure_fields(measure: Measure, tools: Instruments) -> dict[str, Json]:
    """Make the record of a measure in a run: version, kind, direction, range, unit, encoders, sources."""
    fields: dict[str, Json] = {
        "version": measure.version,
        "kind": measure.kind,
        "better": measure.better,
        "bounds": measure.bounds,
        "unit": measure.unit,
        "summary": measure.summary,
        "encoders": {name: tools.encoders[name].digest for name in measure.needs},
    }
    roles = dict.fromkeys(role_of(encoder_of(name)) for name in measure.needs)
    fields["sources"] = {role: tools.sources[role] for role in roles if role is not None}
    if measure.values:
        fields["values"] = {
            name: {"better": one.better, "bounds": one.bounds, "unit": one.unit}
            for name, one in measure.values.items()
        }
    if measure.source is not None:
        fields["source"] = measure.source
    if measure.settings:
        fields["settings"] = {name: tools.settings[name].digest for name in measure.settings}
    if measure.kind == "set" and tools.sets is not None:
        digests = tools.sets.digests(measure)
        fields["reference_set"] = digests.pop(DEFAULT, None)
        if digests:
            fields["reference_sets"] = dict(digests)
    return fields


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


def _training_sets(
    measures: Sequence[Measure], encoders: Mapping[str, Encoder], suite: Suite, cache: FeatureCache
) -> TrainingSets:
    """Open the training set and the held-out set that measures of memorisation compare with.

    Raises:
        UsageError: the suite does not name both, only one is a folder, or too few clips are held out.
    """
    reading = [m for m in measures if TRAINING_SETS in m.settings]
    for name in (TRAIN, HELD_OUT):
        if name not in suite.references:
            raise UsageError(
                f"{reading[0].name} compares with the training set and with clips that were not in it, and "
                f"the suite {suite.name!r} names no reference set {name!r}; add 'reference_sets: {{{TRAIN}: "
                f"{{folder: PATH}}, {HELD_OUT}: {{folder: PATH}}}}' to it"
            )
    refuse_mixed_sets(suite)
    clips = {name: ReferenceClips(suite.references[name], suite.clip) for name in (TRAIN, HELD_OUT)}
    check_held_out(clips[HELD_OUT].size)
    by_feature: dict[str, Encoder] = {}
    for feature in dict.fromkeys(name for m in reading for name in m.needs):
        by_feature[feature] = encoders[feature]
        indexed = INDEXED[feature]
        by_feature.setdefault(indexed, encoders.get(indexed) or make_encoder(indexed))
    return TrainingSets(
        lambda which, feature: clips[which].features(by_feature[feature], cache),
        {name: one.digest for name, one in clips.items()},
        {feature: encoder.digest for feature, encoder in by_feature.items()},
        cache.folder,
        {name: one.size for name, one in clips.items()},
    )


def refuse_mixed_sets(suite: Suite) -> None:
    """Refuse a training set and a held-out set of which one is a folder and the other is rendered.

    Clips that differ in everything from the training clips make a threshold that says nothing.

    Raises:
        UsageError: with which of the two is lacking.
    """
    sets = {name: suite.references[name] for name in (TRAIN, HELD_OUT) if name in suite.references}
    folders = [name for name, one in sets.items() if one.folder is not None]
    if len(sets) == 2 and len(folders) == 1:
        (own,) = folders
        other = HELD_OUT if own == TRAIN else TRAIN
        raise UsageError(
            f"the reference set {own!r} is the folder {sets[own].folder}, and {other!r} would be rendered "
            f"clips of the reference world, which it cannot be compared with; name a folder for it too, "
            f"by --reference {other}=DIR or in the suite's reference_sets"
        )


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
    role = role_of(name)
    if role is None:
        return make_encoder(name, None, options)
    if role not in suite.encoders:
        raise UsageError(
            f"{measure} needs the encoder {role!r} and the suite {suite.name!r} does not say which; "
            f"add 'encoders: {{{role}: ...}}' to it or give --encoder {role}=SOURCE "
            f"({ENCODERS.get(name).settings})"
        )
    return make_encoder(name, suite.encoders[role], options)
