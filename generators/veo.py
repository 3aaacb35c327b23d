"""Google's Veo as a generator: ``veo:MODEL?project=NAME,seconds=8,...``.

A clip is a long-running operation. There are two doors to it:

- Google Cloud, with ``project=``: ``POST .../MODEL:predictLongRunning``, then ``:fetchPredictOperation``,
  whose last answer holds the video. The key is a token of the machine's Google credentials (package
  google-auth), or an API key from a variable;
- the Gemini API, without it: the operation is asked for by its name, and names the address of the video.

Google's own client, google-genai, has the first door alone since its version 3, and brings packages that
nothing else here needs; the requests are the same few, so `service_client` makes them.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from pydantic import Field

from ..harness.core.errors import UsageError
from ..harness.core.items import start_kind
from ..harness.core.specs import parse_argument
from .base import Failure, Output, Refusal
from .job_steps import JobState, Uncertain
from .service import (
    ServiceGenerator,
    VideoOptions,
    checked_video,
    read_key,
    type_of,
    write_base64,
)
from .service_client import Fault, ServiceClient

if TYPE_CHECKING:
    from ..harness.core.items import Item
    from ..harness.core.keys import Json

__all__ = ["KEY_VARIABLE", "VeoGenerator", "VeoOptions", "make_veo"]

KEY_VARIABLE: Final = "GEMINI_API_KEY"
_VERSION = 1
_GEMINI: Final = "https://generativelanguage.googleapis.com/v1beta"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_RESOLUTIONS: Final = {720: "720p", 1080: "1080p", 2160: "4k"}
_OPERATION = re.compile(r"[\w.-]+(/[\w.-]+)*")
_FILTERED = re.compile(r"support codes?\b|usage guidelines|responsible ai|safety filter", re.IGNORECASE)
"""How Google says that a filter refused: its errors of every kind have the same code."""


class VeoOptions(VideoOptions):
    """The options of a spec."""

    project: str | None = Field(default=None, pattern=r"^[\w.:-]+$", description="a Google Cloud project")
    location: str = Field(default="us-central1", pattern=r"^[a-z0-9-]+$", description="of Google Cloud")
    aspect: Literal["16:9", "9:16"] | None = Field(default=None, description="by default the suite's")
    resolution: Literal["720p", "1080p", "4k"] | None = Field(
        default=None, description="by default the suite's"
    )
    audio: bool = Field(default=False, description="whether Google Cloud makes sound, which no measure hears")


class VeoGenerator(ServiceGenerator):
    """Generate clips by long-running operations of Veo.

    Args:
        model: such as ``veo-3.1-generate-001``.
        options: see `VeoOptions`.
        spec: as the user gave it.

    Raises:
        UsageError: there is neither a project nor a key.
    """

    def __init__(self, model: str, options: VeoOptions, spec: str) -> None:
        name = f"veo:{model}"
        default = KEY_VARIABLE if options.base is None else ""
        key = read_key(name, options.key_env, default)
        if key is not None:
            named = {"x-goog-api-key": key}
            headers: Callable[[], Mapping[str, str]] = lambda: named  # noqa: E731
        elif options.project is not None and options.base is None:
            headers = _GoogleToken(name).headers
        else:
            raise UsageError(
                f"{name} needs project=NAME, for the Google credentials of this machine, or a key of the "
                f"Gemini API in {KEY_VARIABLE}; at another address, a key in the variable that key_env names"
            )
        address = options.base or _address(options)
        client = ServiceClient(f"the service of {name}", address, headers, timeout_s=options.timeout or 120.0)
        super().__init__(spec, options, client)
        self.model = model
        self.options = options
        self.starts = frozenset({"image"} if options.project is None else {"image", "extend"})

    def identity(self) -> Mapping[str, Json]:
        """List the model and the settings; it cannot reveal what Google changes under a model's name."""
        return {
            "kind": "veo",
            "version": _VERSION,
            "model": self.model,
            "endpoint": self.options.base or ("cloud" if self.options.project else "gemini"),
            **self.options.named("project", "location"),
        }

    def check(self, items: Sequence[Item]) -> list[str]:
        """Refuse sizes that Veo has not, and tell what it is not asked for.

        Raises:
            UsageError: the suite's clips are neither 16:9 nor 9:16, or a file is missing.
        """
        warnings = super().check(items)
        sizes = sorted({(item.clip.width, item.clip.height) for item in items})
        for width, height in sizes:
            if self.options.aspect is None and _aspect(width, height) is None:
                raise UsageError(
                    f"Veo makes clips of 16:9 and 9:16, and the suite asks for {width}x{height}; set its "
                    "clip to 1280x720, or give aspect="
                )
            if self.options.resolution is None and min(width, height) not in _RESOLUTIONS:
                warnings.append(
                    f"Veo has no resolution for {width}x{height}, so none is asked for; give resolution="
                )
        lengths = {item.clip.frames / item.clip.fps for item in items}
        uneven = sorted(seconds for seconds in lengths if seconds % 1)
        if uneven and self.options.seconds is None:
            warnings.append(
                f"Veo takes whole seconds: clips of {', '.join(f'{s:g} s' for s in uneven)} are asked for "
                "rounded up"
            )
        return warnings

    def billed_seconds(self, item: Item) -> float:
        """Return the seconds of video that are asked for."""
        return self.options.length(super().billed_seconds(item), whole=True)

    def submit(self, item: Item, key: str) -> str | Output:
        """Start an operation; see `JobService.submit`."""
        del key  # the service has no idempotency key
        answer = self.client.create(f"{self._place}:predictLongRunning", json=self._request(item))
        if not answer.ok:
            return _outcome(answer.fault)
        name = answer.body.get("name")
        if not isinstance(name, str) or _OPERATION.fullmatch(name) is None or ".." in name:
            raise Uncertain("its answer has no name of an operation")
        return name

    def poll(self, job: str) -> JobState:
        """Ask for an operation; see `JobService.poll`."""
        if self.options.project is None:
            answer = self.client.ask(job)
        else:
            path = f"{self._place}:fetchPredictOperation"
            answer = self.client.ask(path, "POST", json={"operationName": job})
        if answer.status == 404:
            return "unknown"
        if answer.body.get("done") is not True:
            return "pending"
        self.ended(job, answer.body)
        return "ended"

    def fetch(self, job: str, item: Item, folder: Path) -> Output:
        """Store or download the clip of an ended operation; see `JobService.fetch`."""
        body = self.answer_about(job) or {}
        if body.get("error"):
            return _outcome(self.client.fault(body))
        response = _object(body.get("response"))
        response = _object(response.get("generateVideoResponse")) or response
        videos = response.get("videos") or response.get("generatedSamples")
        first = _object(videos[0]) if isinstance(videos, list) and videos else {}
        first = _object(first.get("video")) or first
        path = folder / "clip.mp4"
        if data := first.get("bytesBase64Encoded") or first.get("encodedVideo"):
            write_base64(data, path)
        elif uri := first.get("uri"):
            self.client.download(str(uri), path)
        else:
            return self._without_video(response, first)
        video = checked_video(path)
        self.book(job, usd=self.price(self.billed_seconds(item)))
        return video

    def _without_video(self, response: Mapping[str, Any], first: Mapping[str, Any]) -> Refusal | Failure:
        reasons = response.get("raiMediaFilteredReasons")
        if reasons or response.get("raiMediaFilteredCount"):
            told = "; ".join(map(str, cast("list[Any]", reasons))) if isinstance(reasons, list) else ""
            return Refusal(
                f"the service filtered the clip: {self.client.clean(told) or 'it gives no reason'}"
            )
        if first.get("gcsUri"):
            return Failure(
                "the clip went to a bucket; leave storageUri out of extra, and it comes in the answer"
            )
        return Failure("the operation ended without a video, an error or a filter")

    @property
    def _place(self) -> str:
        """The path of the model below the address."""
        options = self.options
        if options.project is None:
            return f"models/{self.model}"
        return (
            f"projects/{options.project}/locations/{options.location}/publishers/google/models/{self.model}"
        )

    def _request(self, item: Item) -> dict[str, Any]:
        options, instance = self.options, dict[str, Any](prompt=item.prompt)
        start = item.video or item.image
        if start is not None:
            data = base64.b64encode(Path(start).read_bytes()).decode("ascii")
            part = "image" if start_kind(item) == "image" else "video"
            instance[part] = {"bytesBase64Encoded": data, "mimeType": type_of(Path(start))}
        width, height = item.clip.width, item.clip.height
        parameters = {
            "sampleCount": 1,
            "seed": item.seed,
            "durationSeconds": int(self.billed_seconds(item)),
            "aspectRatio": options.aspect or _aspect(width, height),
            "resolution": options.resolution or _RESOLUTIONS.get(min(width, height)),
            "negativePrompt": options.negative,
            "generateAudio": None if options.project is None else options.audio,
            **options.further,
        }
        known = {name: value for name, value in parameters.items() if value is not None}
        return {"instances": [instance], "parameters": known}


class _GoogleToken:
    """The token of the Google credentials of this machine, renewed when it ends."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._credentials: Any = None
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """Return the header with a valid token.

        Raises:
            UsageError: there are no credentials, they are refused, or google-auth is not installed.
        """
        try:
            import google.auth
            from google.auth.exceptions import GoogleAuthError
            from google.auth.transport.requests import Request
        except ImportError:
            raise UsageError(
                f"{self._name} takes the Google credentials of this machine through the package google-auth; "
                "install it with `pip install 'screentest[veo]'`"
            ) from None
        with self._lock:
            try:
                if self._credentials is None:
                    self._credentials = google.auth.default(scopes=[_SCOPE])[0]
                if not self._credentials.valid:
                    self._credentials.refresh(Request())
            except GoogleAuthError as error:
                raise UsageError(
                    f"{self._name} has no Google credentials that work ({type(error).__name__}); log in with "
                    "`gcloud auth application-default login`, or give key_env="
                ) from None
            return {"Authorization": f"Bearer {self._credentials.token}"}


def make_veo(argument: str) -> VeoGenerator:
    """Make a generator from what follows ``veo:``.

    Raises:
        UsageError: no model, an unknown option, or neither a project nor a key.
    """
    spec = parse_argument(argument, f"--generator veo:{argument}")
    if re.fullmatch(r"[\w.@-]+", spec.argument) is None:
        raise UsageError(
            "name the model after the colon: --generator 'veo:veo-3.1-generate-001?project=NAME'"
        )
    return VeoGenerator(spec.argument, spec.settings(VeoOptions), f"veo:{argument}")


def _address(options: VeoOptions) -> str:
    if options.project is None:
        return _GEMINI
    where = "" if options.location == "global" else f"{options.location}-"
    return f"https://{where}aiplatform.googleapis.com/v1"


def _aspect(width: int, height: int) -> str | None:
    """Return the aspect ratio of a size, within a pixel in a hundred; None for one that Veo has not."""
    for name, ratio in (("16:9", 16 / 9), ("9:16", 9 / 16)):
        if abs(width / height / ratio - 1) <= 0.01:
            return name
    return None


def _outcome(fault: Fault) -> Refusal | Failure:
    """Turn an error into a refusal, if a filter made it, or else into a failure."""
    if fault.refuses or _FILTERED.search(fault.message):
        return Refusal(f"the service refused: {fault}")
    return Failure(f"the service could not make the clip: {fault}")


def _object(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
