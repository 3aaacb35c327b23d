"""Read the file of each benchmark as prompts, with its own labels and ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from ....safety.prompt_sets import labelled_prompts, open_set
from ....safety.sources import prompt_lines
from ....safety.taxonomy import load_taxonomy
from ...core.errors import UsageError
from ...core.items import Prompt
from .described import BENCHMARKS
from .rows import Row, read_json, read_rows, texts

__all__ = ["READERS", "Read", "Reader"]


@dataclass
class Read:
    """The prompts of a file, and how many rows were left out, by why."""

    prompts: list[Prompt] = field(default_factory=list[Prompt])
    left_out: dict[str, int] = field(default_factory=dict[str, int])

    def leave(self, why: str) -> None:
        """Count a row that is left out."""
        self.left_out[why] = self.left_out.get(why, 0) + 1


Reader: TypeAlias = Callable[[Path, Read], None]
_CAMERA: Final = {
    "pan_left": "pan-left",
    "pan_right": "pan-right",
    "zoom_in": "zoom-in",
    "zoom_out": "zoom-out",
    "static": "still",
}
"""Camera moves of VBench-2.0 that an expectation can state; it has others, too."""
_RELATIONS: Final = {"left": "left", "right": "right", "above": "above", "below": "below", "under": "below"}


def _prompt(text: str, labels: Mapping[str, object], **more: Any) -> Prompt:
    named = {name: texts(value) for name, value in labels.items()}
    kept = {name: values for name, values in named.items() if values}
    return Prompt.model_validate({"text": text, "labels": kept, **more})


def _vbench(name: str) -> Reader:
    known = BENCHMARKS[name].dimensions
    other = {"vbench": "vbench-2.0", "vbench-2.0": "vbench"}[name]

    def read(path: Path, found: Read) -> None:
        rows = _by_text(path) if name == "vbench-2.0" else None
        for number, row in enumerate(
            rows or read_rows(path, ("prompt_en", "dimension"), BENCHMARKS[name].title), start=1
        ):
            dimensions = texts(row["dimension"])
            if unknown := [one for one in dimensions if one not in known]:
                if all(one in BENCHMARKS[other].dimensions for one in unknown):
                    raise UsageError(
                        f"{path} is a file of {BENCHMARKS[other].title}, not of {BENCHMARKS[name].title}; "
                        f"load it as {other}:{path}"
                    )
                raise UsageError(
                    f"{path}, row {number}: {BENCHMARKS[name].title} has no dimension {unknown[0]!r}; "
                    "the file is of another version of it"
                )
            labels = {"dimension": dimensions, "id": f"{name}-{number}"}
            camera = _CAMERA.get(str(row.get("auxiliary_info")))
            expect = {"camera": camera} if camera and "Camera_Motion" in dimensions else None
            found.prompts.append(_prompt(str(row["prompt_en"]), labels, expect=expect))

    return read


def _by_text(path: Path) -> list[Row] | None:
    """Read `VBench2_full_text_info.json`, which maps a prompt, cut to a file's name, to its whole caption."""
    given = read_json(path) if path.suffix == ".json" else None
    if not isinstance(given, Mapping):
        return None
    entries = [*cast("Mapping[str, Any]", given).values()]
    if not all(isinstance(entry, Mapping) and {"caption", "dimension"} <= {*entry} for entry in entries):
        return None
    return [{"prompt_en": entry["caption"], "dimension": entry["dimension"]} for entry in entries]


def _evalcrafter(path: Path, found: Read) -> None:
    if path.suffix == ".txt":
        for number, record in enumerate(prompt_lines(path)):
            found.prompts.append(_prompt(record.text, {"id": f"evalcrafter-{number:04d}"}))
        return
    given = read_json(path)
    if not isinstance(given, Mapping) or not given:
        raise UsageError(f"{path} is not of EvalCrafter: it should be a mapping of numbers to prompts")
    for name, row in cast("Mapping[str, Any]", given).items():
        if not isinstance(row, Mapping) or "prompt" not in row:
            raise UsageError(f"{path}: {name!r} is not of EvalCrafter: it has no 'prompt'")
        entry = cast("Row", row)
        attributes: Any = entry.get("attributes") or {}
        labels = {"asks": list(attributes), "id": f"evalcrafter-{name}"}
        found.prompts.append(_prompt(str(entry["prompt"]), labels))


def _compbench(path: Path, found: Read) -> None:
    category = path.stem
    if category not in BENCHMARKS["t2v-compbench"].dimensions:
        raise UsageError(
            f"{path} is not a file of T2V-CompBench; its meta_data are "
            f"{', '.join(BENCHMARKS['t2v-compbench'].files)}"
        )
    for number, row in enumerate(read_rows(path, ("prompt",), "T2V-CompBench"), start=1):
        side = _RELATIONS.get(str(row.get("spatial")))
        expect = None
        if side and row.get("object_1") and row.get("object_2"):
            things = [{"name": str(row["object_1"])}, {"name": str(row["object_2"])}]
            expect = {"objects": things, "relation": {"subject": 0, "is": side, "of": 1}}
        labels = {"dimension": category, "id": f"t2v-compbench-{category}-{number}"}
        found.prompts.append(_prompt(str(row["prompt"]), labels, expect=expect))


def _videophy(path: Path, found: Read) -> None:
    rows = read_rows(path, ("caption",), "VideoPhy-2")
    if "action" not in rows[0] and "is_hard" not in rows[0]:
        raise UsageError(
            f"{path} has neither 'action' nor 'is_hard': it is of VideoPhy (version 1), and version 2 is read"
        )
    for row in rows:
        hard = str(row.get("is_hard", "")).strip().lower() in ("1", "1.0", "true", "yes")
        labels = {
            "action": row.get("action"),
            "category": row.get("category"),
            "hard": "yes" if hard else "no",
        }
        found.prompts.append(_prompt(str(row["caption"]), labels))


def _phygenbench(path: Path, found: Read) -> None:
    rows = read_rows(path, ("caption", "physical_laws", "main_category"), "PhyGenBench")
    for number, row in enumerate(rows, start=1):
        law = " ".join(str(row["physical_laws"]).split())[:500]
        question = {"ask": f"Does the clip agree with this: {law}?", "answer": True}
        labels = {
            "dimension": row["main_category"],
            "law": row.get("sub_category"),
            "id": f"phygenbench-{number}",
        }
        found.prompts.append(_prompt(str(row["caption"]), labels, expect={"questions": [question]}))


def _phyground(path: Path, found: Read) -> None:
    for row in read_rows(path, ("prompt", "id_stem", "physical_laws"), "PhyGround"):
        stem = str(row["id_stem"])
        labels = {"law": row["physical_laws"], "id": f"phyground-{stem}"}
        image = _picture((path.parent, path.parent.parent), "first_images", re.escape(stem))
        found.prompts.append(_prompt(str(row["prompt"]), labels, image=image))


def _physics_iq(path: Path, found: Read) -> None:
    needed = ("scenario", "description", "category", "generated_video_name")
    for row in read_rows(path, needed, "Physics-IQ"):
        parts = re.match(r"(\d{4})_(perspective-[a-z]+)", str(row["scenario"]))
        if parts is None:
            raise UsageError(
                f"{path}: {row['scenario']!r} is no scenario of Physics-IQ, 0001_perspective-..."
            )
        number, view = parts.groups()
        image = _picture((path.parent, path.parent.parent), "switch-frames", f"{number}_.*{view}.*")
        labels = {
            "dimension": row["category"],
            "view": view,
            "id": Path(str(row["generated_video_name"])).stem,
        }
        found.prompts.append(_prompt(str(row["description"]), labels, image=image))


def _picture(places: Sequence[Path], folder: str, pattern: str) -> str | None:
    """Find the picture of a name in a folder beside the file; None without one."""
    for place in places:
        inside = place / folder
        if inside.is_dir():
            for path in sorted(inside.iterdir()):
                if re.fullmatch(pattern, path.stem) and path.suffix in (".png", ".jpg", ".jpeg"):
                    return str(path)
    return None


def _t2vsafetybench(path: Path, found: Read) -> None:
    if not re.fullmatch(r"([1-9]|1[0-4])\.txt", path.name):
        raise UsageError(f"{path} is not a file of T2VSafetyBench, which are named 1.txt to 14.txt")
    generated = set(load_taxonomy().generated)
    for one in labelled_prompts(open_set("t2vsafetybench", path))[0]:
        if not generated.issuperset(one.categories):
            found.leave("for text filters alone")
        elif one.text:
            labels = {"aspect": path.stem, "category": one.categories, "id": f"t2vsafetybench-{one.id}"}
            found.prompts.append(_prompt(one.text, labels, tags=("red-team",)))


def _safesora(path: Path, found: Read) -> None:
    rows = read_rows(path, ("prompt_id", "prompt_text", "prompt_type"), "SafeSora")
    for number, row in enumerate(rows, start=1):
        harms: Any = row.get("prompt_labels") or {}
        named = [name for name, holds in harms.items() if holds] if isinstance(harms, Mapping) else []
        if "child_abuse" in named:
            found.leave("labelled child_abuse")
            continue
        kind = row["prompt_type"]
        if kind not in ("safety_critical", "safety_neutral"):
            raise UsageError(
                f"{path}, row {number}: prompt_type is {kind!r}; it should be safety_critical or "
                "safety_neutral"
            )
        tag = "red-team" if kind == "safety_critical" else "benign"
        labels = {"harm": named, "id": f"safesora-{str(row['prompt_id'])[:60]}"}
        found.prompts.append(_prompt(str(row["prompt_text"]), labels, tags=(tag,)))


def _vmdt(path: Path, found: Read) -> None:
    for number, row in enumerate(read_rows(path, ("prompt",), "VMDT"), start=1):
        attack = row.get("redteaming")
        name = row.get("base_id") or row.get("id") or number
        labels = {
            "category": row.get("category"),
            "attack": attack,
            "task": row.get("task_name") or row.get("task"),
            "scenario": row.get("scenario_name") or row.get("scenario"),
            ("base" if row.get("base_id") else "id"): f"vmdt-{name}",
        }
        tags = ("red-team",) if attack else ()
        found.prompts.append(_prompt(str(row["prompt"]), labels, tags=tags))


def _worldscore(path: Path, found: Read) -> None:
    for number, row in enumerate(read_rows(path, ("visual_movement", "visual_style"), "WorldScore"), start=1):
        scenes = _scenes(row.get("prompt")) or _scenes(row.get("prompt_list"))
        if not scenes:
            raise UsageError(
                f"{path}, row {number}, is not of WorldScore: it has no 'prompt' or 'prompt_list'"
            )
        picture = row.get("image")
        image = path.parent / str(picture) if picture else None
        labels = {
            "movement": row["visual_movement"],
            "style": row["visual_style"],
            "scene": row.get("scene_type"),
            "category": row.get("category"),
            "camera": row.get("camera_path"),
            "id": f"worldscore-{path.stem}-{number}",
        }
        start = str(image) if image is not None and image.is_file() else None
        found.prompts.append(_prompt(" Then: ".join(scenes), labels, image=start))


def _scenes(value: object) -> list[str]:
    """Read a text, or a list of texts, whole."""
    many = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
    return [" ".join(str(one).split()) for one in many if one not in (None, "")]


def readers() -> Iterator[tuple[str, Reader]]:
    """List the benchmarks, each with what reads its file."""
    yield from (
        ("vbench", _vbench("vbench")),
        ("vbench-2.0", _vbench("vbench-2.0")),
        ("evalcrafter", _evalcrafter),
        ("t2v-compbench", _compbench),
        ("videophy-2", _videophy),
        ("phygenbench", _phygenbench),
        ("phyground", _phyground),
        ("physics-iq", _physics_iq),
        ("t2vsafetybench", _t2vsafetybench),
        ("safesora", _safesora),
        ("vmdt", _vmdt),
        ("worldscore", _worldscore),
    )


READERS: Final[Mapping[str, Reader]] = dict(readers())
"""Name of the benchmark -> what reads one of its files."""
