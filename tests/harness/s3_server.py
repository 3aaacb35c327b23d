"""A local S3 server for tests, which can be stopped and started again with what it holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from screentest.harness.core import storage

BUCKET = "films"


class S3Server:
    """The server, and its bucket as a mapping from keys to bytes."""

    def __init__(self) -> None:
        import boto3
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        _, self._port = self._server.get_host_and_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._client: Any = boto3.client("s3", endpoint_url=self.url)

    def empty(self) -> None:
        """Make the bucket anew, with nothing in it."""
        self.delete(*self.list())
        self._client.create_bucket(Bucket=BUCKET)

    def list(self) -> list[str]:
        """List the keys of the bucket."""
        try:
            return [one["Key"] for one in self._client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
        except self._client.exceptions.NoSuchBucket:
            return []

    def get(self, key: str) -> bytes:
        """Read an object."""
        return self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        self._client.put_object(Bucket=BUCKET, Key=key, Body=data)

    def delete(self, *keys: str) -> None:
        """Delete objects."""
        for key in keys:
            self._client.delete_object(Bucket=BUCKET, Key=key)

    def stop(self) -> None:
        """Stop the server; what it holds stays."""
        self._server.stop()

    def start(self) -> None:
        """Start it again at the same address."""
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._server.start()


ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "a-key-for-tests",
    "AWS_SECRET_ACCESS_KEY": "a-secret-for-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def forget_stores() -> None:
    """Let stores be connected anew, as in another process."""
    from s3fs import S3FileSystem

    storage._object_store.cache_clear()
    S3FileSystem.clear_instance_cache()


@contextmanager
def served() -> Iterator[S3Server]:
    """Serve an empty bucket, with its address and credentials in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
            patch.delenv(name, raising=False)
        server = S3Server()
        server.empty()
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        assert os.environ["AWS_ENDPOINT_URL"]
        try:
            yield server
        finally:
            forget_stores()
            server.stop()
