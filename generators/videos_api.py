"""Servers of the ``/v1/videos`` protocol as generators: ``videos-api:MODEL?base=URL,server=sglang,...``.

The protocol: ``POST /videos`` makes a job, ``GET /videos/ID`` tells its status, ``GET /videos/ID/content`` is
the file. Servers differ in what else they take, which `server` names:

- ``openai``: the protocol as published: a form with model, prompt, size and whole seconds; no seed;
- ``sglang``: JSON, and a form where an image goes with it; frames, frame rate and seed;
- ``vllm-omni``: a form; frames, frame rate and seed; a video can be edited;
- ``dynamo``: JSON with these settings under ``nvext``; the answer to the first request holds the video.

A service without jobs, like the last, cannot be asked again for a clip that was lost in a crash.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from ..harness.core.errors import UsageError
from ..harness.core.items import start_kind
from ..harness.core.specs import parse_argument
from .base import Failure, Output, Refusal
from .job_steps import JobState, Later
from .service import (
    ServiceGenerator,
    VideoOptions,
    checked_video,
    job_id,
    read_key,
    type_of,
    write_base64,
)
from .service_client import Answer, ServiceClient, plain_address

if TYPE_CHECKING:
    from ..harness.core.items import Item, Start
    from ..harness.core.keys import Json

__all__ = ["KEY_VARIABLE", "URL_VARIABLE", "VideosApiGenerator", "VideosApiOptions", "make_videos_api"]

URL_VARIABLE: Final = "SCREENTEST_VIDEOS_URL"
KEY_VARIABLE: Final = "SCREENTEST_VIDEOS_KEY"
_VERSION = 1
_STARTS: Final[Mapping[str, frozenset[Start]]] = {
    "openai": frozenset({"image", "extend", "edit"}),
    "sglang": frozenset({"image"}),
    "vllm-omni": frozenset({"image", "edit"}),
    "dynamo": frozenset({"image"}),
}
_OPENAI_PATHS: Final[Mapping[Start | None, str]] = {"extend": "videos/extensions", "edit": "videos/edits"}
_STATES: Final[Mapping[str, JobState]] = {
    **dict.fromkeys(("queued", "pending", "in_progress", "processing", "running"), "pending"),
    **dict.fromkeys(
        ("completed", "succeeded", "failed", "error", "cancelled", "canceled", "expired"), "ended"
    ),
}
_DONE = frozenset({"completed", "succeeded"})
_ONE_REQUEST = frozenset({"dynamo"})
"""Servers whose first answer comes when the clip is made."""


class VideosApiOptions(VideoOptions):
    """The options of a spec."""

    base: str | None = Field(default=None, description=f"the server's address; by default {URL_VARIABLE}")
    server: Literal["openai", "sglang", "vllm-omni", "dynamo"] = Field(
        default="openai", description="what the server takes besides the prompt"
    )
    deployment: str | None = Field(
        default=None, min_length=1, description="a name that stands for the address in the identity"
    )
    size: str | None = Field(
        default=None,
        pattern=r"^([1-9]\d*x[1-9]\d*|none)$",
        description="WIDTHxHEIGHT; by default the suite's",
    )
    steps: int | None = Field(default=None, ge=1, description="sampling steps")
    guidance: float | None = Field(default=None, ge=0, description="scale of classifier-free guidance")
    idempotent: bool = Field(
        default=False, description="the server makes one job of two requests with one Idempotency-Key"
    )

    @property
    def fields(self) -> dict[str, Any]:
        """The further fields of a request, by the names of the servers that have them."""
        known = {
            "negative_prompt": self.negative,
            "num_inference_steps": self.steps,
            "guidance_scale": self.guidance,
        }
        return {name: value for name, value in known.items() if value is not None} | self.further


class VideosApiGenerator(ServiceGenerator):
    """Generate clips by jobs of a server with the ``/v1/videos`` protocol.

    Args:
        model: the model's name at the server.
        options: see `VideosApiOptions`.
        spec: as the user gave it.

    Raises:
        UsageError: there is no address, or the variable with the key is not set.
    """

    def __init__(self, model: str, options: VideosApiOptions, spec: str) -> None:
        address = options.base or _address(model)
        key = read_key(f"videos-api:{model}", options.key_env, KEY_VARIABLE)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        once = options.wait if options.server in _ONE_REQUEST else 60.0
        client = ServiceClient(
            f"the service of videos-api:{model}", address, lambda: headers, timeout_s=options.timeout or once
        )
        super().__init__(spec, options, client)
        self.model = model
        self.options = options
        self.idempotent = options.idempotent
        self.starts = _STARTS[options.server]

    def identity(self) -> Mapping[str, Json]:
        """List the model, the server and the settings; it cannot reveal what a server changes by itself."""
        return {
            "kind": "videos-api",
            "version": _VERSION,
            "model": self.model,
            "endpoint": self.options.deployment or self.client.base,
            **self.options.named("deployment", "idempotent"),
        }

    def check(self, items: Sequence[Item]) -> list[str]:
        """Refuse items that the server cannot be asked for, and tell what it is not asked for.

        Raises:
            UsageError: with the item, and what to do.
        """
        warnings = super().check(items)
        shapes = {(item.clip.frames, item.clip.fps) for item in items}
        if self.options.server == "openai":
            if any(item.seed for item in items):
                warnings.append(
                    "server=openai takes no seed: the clips of one prompt differ by chance, and cannot be "
                    "made again"
                )
            uneven = sorted(frames / fps for frames, fps in shapes if frames % fps)
            if uneven and self.options.seconds is None:
                lengths = ", ".join(f"{seconds:g} s" for seconds in uneven)
                warnings.append(
                    f"server=openai takes whole seconds: clips of {lengths} are asked for rounded up"
                )
        elif any(fps % 1 for _, fps in shapes):
            raise UsageError(
                f"server={self.options.server} takes whole frames per second; set the suite's fps to one"
            )
        return warnings

    def billed_seconds(self, item: Item) -> float:
        """Return the seconds of video that are asked for."""
        return self.options.length(super().billed_seconds(item), whole=self.options.server == "openai")

    def submit(self, item: Item, key: str) -> str | Output:
        """Make a job; see `JobService.submit`."""
        start = start_kind(item) if self.options.server == "openai" else None
        path = _OPENAI_PATHS.get(start, "videos")
        answer = self.client.create(path, headers={"Idempotency-Key": key}, **self._request(item))
        if not answer.ok:
            return self._outcome(answer)
        job = job_id(answer)
        if self._state(answer.body) == "ended":
            self.ended(job, answer.body)
        return job

    def poll(self, job: str) -> JobState:
        """Ask for a job's status; see `JobService.poll`."""
        if self.answer_about(job) is not None:
            return "ended"
        answer = self.client.ask(f"videos/{_segment(job)}")
        if answer.status == 404:
            return "unknown"
        state = self._state(answer.body)
        if state == "ended":
            self.ended(job, answer.body)
        return state

    def fetch(self, job: str, item: Item, folder: Path) -> Output:
        """Download the clip of an ended job; see `JobService.fetch`."""
        body = self.answer_about(job) or {}
        status = str(body.get("status")).lower()
        if status not in _DONE:
            return self._outcome(Answer(200, body, self.client.fault(body)))
        path = folder / "clip.mp4"
        data = body.get("data")
        first: Any = data[0] if isinstance(data, list) and data else {}
        inline: Any = first.get("b64_json") if isinstance(first, dict) else None
        if inline:
            write_base64(inline, path)
        else:
            url: Any = body.get("url") or (first.get("url") if isinstance(first, dict) else None)
            whole = isinstance(url, str) and url.startswith(("http://", "https://"))
            self.client.download(url if whole else f"videos/{_segment(job)}/content", path)
        video = checked_video(path)
        self.book(job, **self._cost(body, item))
        return video

    # -- requests

    def _request(self, item: Item) -> dict[str, Any]:
        """Build the arguments of a request: ``json``, or ``files`` of a form."""
        server, options = self.options.server, self.options
        fields: dict[str, Any] = {"model": self.model, "prompt": item.prompt}
        kind = start_kind(item)
        start = item.video or item.image
        if options.size != "none" and (server != "openai" or kind in (None, "image")):
            fields["size"] = options.size or f"{item.clip.width}x{item.clip.height}"
        more: dict[str, Any] = {}
        if server == "openai":
            if kind != "edit":
                fields["seconds"] = str(int(self.billed_seconds(item)))
        else:
            if options.seconds is None:
                more["num_frames"] = item.clip.frames
            else:
                fields["seconds"] = options.seconds
            more |= {"fps": int(item.clip.fps), "seed": item.seed}
        more |= options.fields
        if server == "dynamo":
            image = {} if start is None else {"input_reference": _data_url(Path(start))}
            return {"json": {**fields, **image, "response_format": "b64_json", "nvext": more}}
        fields |= more
        if server == "sglang" and start is None:
            return {"json": fields}
        form: list[tuple[str, Any]] = [(name, (None, _text(value))) for name, value in fields.items()]
        if start is not None:
            name = "video" if server == "openai" and item.video else "input_reference"
            form.append((name, (Path(start).name, Path(start).read_bytes(), type_of(Path(start)))))
        return {"files": form}

    # -- answers

    def _state(self, body: Mapping[str, Any]) -> JobState:
        status = str(body.get("status", "")).lower()
        if status not in _STATES:
            raise Later(f"the service gave the status {self.client.clean(status, 40)!r}, which is unknown")
        return _STATES[status]

    def _outcome(self, answer: Answer) -> Refusal | Failure:
        """Turn a fault into a refusal, if its code says so, or else into a failure."""
        status = str(answer.body.get("status") or f"HTTP {answer.status}")
        if answer.fault.refuses:
            return Refusal(f"the service refused: {answer.fault}")
        return Failure(f"the service could not make the clip ({status}): {answer.fault}")

    def _cost(self, body: Mapping[str, Any], item: Item) -> dict[str, Any]:
        """Read what an answer says of the cost; a price goes by the seconds that it names."""
        usage = body.get("usage")
        return {
            "usd": self.price(_number(body.get("seconds")) or self.billed_seconds(item)),
            "usage": usage if isinstance(usage, dict) and len(json.dumps(usage)) < 4000 else None,
            "service_seconds": _number(body.get("inference_time_s")),
        }


def make_videos_api(argument: str) -> VideosApiGenerator:
    """Make a generator from what follows ``videos-api:``.

    Raises:
        UsageError: no model or address, an unknown option, or a key that is not set.
    """
    spec = parse_argument(argument, f"--generator videos-api:{argument}")
    if not spec.argument:
        raise UsageError(
            "name the model after the colon: --generator "
            "'videos-api:MODEL?base=http://HOST:8000/v1,server=sglang'"
        )
    return VideosApiGenerator(spec.argument, spec.settings(VideosApiOptions), f"videos-api:{argument}")


def _address(model: str) -> str:
    value = os.environ.get(URL_VARIABLE, "").strip()
    if not value:
        raise UsageError(
            f"videos-api:{model} has no address; give base=http://HOST:8000/v1, or set {URL_VARIABLE} to it"
        )
    try:
        return plain_address(value)
    except ValueError as error:
        raise UsageError(f"the address in {URL_VARIABLE} {error}") from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < 1e9 else None


def _segment(job: str) -> str:
    """Quote a job's id as one segment of a path."""
    from urllib.parse import quote

    return quote(job, safe="")


def _data_url(path: Path) -> str:
    return f"data:{type_of(path)};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
