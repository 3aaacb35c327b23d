from __future__ import annotations

import errno
import hashlib
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from screentest.harness.core import object_store
from screentest.harness.core.errors import MediaError, ServiceDown, UsageError
from screentest.harness.core.storage import (
    Folder,
    Listed,
    ObjectStore,
    local_folder,
    opened,
    size_of,
    storage_at,
)

from ..s3_server import S3Server, forget_stores, served

pytest.importorskip("s3fs", reason="the extra 's3' is not installed")
NAME = "a.mp4"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with served() as made:
        yield made


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        request.getfixturevalue("server").empty()
        return "s3://films/some/prefix"
    if request.param == "memory":
        return f"memory://{tmp_path.name}/prefix"
    folder = tmp_path / "a folder"
    folder.mkdir()
    return str(folder) if request.param == "folder" else folder.as_uri()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_is_stored_comes_back_and_what_is_not_is_gone(place, tmp_path):
    store = storage_at(place)
    beside = tmp_path / "beside"
    beside.write_bytes(b"frames")
    store.add(beside, NAME)
    assert beside.exists()
    store.take(beside, "b.mp4")
    assert not beside.exists()
    store.write("deep/er.npz", lambda file: file.write(b"numbers"))
    with store.open("deep/er.npz") as file:
        assert file.read() == b"numbers"
    with pytest.raises(FileNotFoundError):
        store.open("none.npz")
    assert dict(store.hashed([NAME, "b.mp4", "none"])) == {
        NAME: sha256(b"frames"),
        "b.mp4": sha256(b"frames"),
        "none": None,
    }
    assert store.file(NAME).is_file()
    assert not store.file("none").is_file()
    assert store.absent([NAME, "none", "deep/er.npz"]) == ["none"]
    assert (size_of(store.file(NAME)), size_of(store.file("none"))) == (6, None)
    assert store.file(NAME).read_bytes() == b"frames"


@pytest.mark.parametrize("place", ["memory", "s3"], indirect=True)
def test_a_listing_is_of_what_is_below_the_prefix_now(place, tmp_path):
    store = storage_at(place)
    assert isinstance(store, ObjectStore)
    assert store.listing() == {}
    for name, data in (("b.mp4", b"frames"), ("a/b c.mp4", b""), ("a.mp4", b"x")):
        store.write(name, lambda file, data=data: file.write(data))
    assert list(store.listing().items()) == [
        ("a.mp4", Listed(1)),
        ("a/b c.mp4", Listed(0)),
        ("b.mp4", Listed(6)),
    ]
    assert dict(store.starts(["b.mp4", "none"], 3)) == {"b.mp4": b"fra", "none": b""}
    store.fetch_all({name: tmp_path / name for name in ("b.mp4", "none")})
    assert [path.name for path in tmp_path.iterdir()] == ["b.mp4"]
    store._system.rm_file(store._path("b.mp4"))
    assert store.size("b.mp4") is None  # not what was listed before
    assert list(store.listing()) == ["a.mp4", "a/b c.mp4"]


def test_a_size_that_a_store_does_not_tell_is_counted_and_is_not_0(server, monkeypatch):
    server.empty()
    store = storage_at("s3://films/x")
    assert isinstance(store, ObjectStore)
    server.put(f"x/{NAME}", b"frames")
    telling = store._system.info

    def silent(path: str, **options: object) -> dict[str, object]:
        return {**telling(path, **options), "size": None}

    monkeypatch.setattr(store._system, "info", silent)
    assert (store.size(NAME), store.size("none")) == (6, None)
    assert store.has(NAME)


def test_many_are_hashed_in_their_order(place):
    store = storage_at(place)
    names = [f"{k}.mp4" for k in range(20)]
    for name in names:
        store.write(name, lambda file, name=name: file.write(name.encode()))
    assert list(store.hashed(names)) == [(name, sha256(name.encode())) for name in names]


def test_a_place_keeps_its_id(place):
    store = storage_at(place)
    assert not store.is_known_as("")
    name = store.identify()
    assert len(name) == 32
    assert store.identify() == name
    assert store.is_known_as(name)
    assert not store.is_known_as("another")


def test_an_object_is_a_file_for_the_time_of_a_block_and_is_held_to_its_sha256(server):
    server.empty()
    store = storage_at("s3://films/clips")
    server.put(f"clips/{NAME}", b"frames")
    with opened(store.file(NAME, sha256(b"frames"))) as path:
        assert path.read_bytes() == b"frames"
        assert path.name == NAME
    assert not path.exists()
    server.put(f"clips/{NAME}", b"others")
    changed = pytest.raises(UsageError, match=r"the stored clip s3://films/clips/a\.mp4 has changed; restore")
    with changed, opened(store.file(NAME, sha256(b"frames"))):
        pass
    server.delete(f"clips/{NAME}")
    with opened(store.file(NAME, sha256(b"frames"))) as path:
        assert not path.is_file()


def test_what_is_said_of_a_fetched_file_names_its_object(server):
    server.empty()
    server.put(f"clips/{NAME}", b"no video")

    def complain() -> None:
        with opened(storage_at("s3://films/clips").file(NAME)) as path:
            raise MediaError(f"{path} is no video")

    with pytest.raises(MediaError, match=r"^s3://films/clips/a\.mp4 is no video$"):
        complain()


def test_a_local_file_is_opened_where_it_is(tmp_path):
    with opened(tmp_path / NAME) as path:
        assert path == tmp_path / NAME


def test_equal_files_that_are_added_at_the_same_time_do_not_disturb_each_other(tmp_path, monkeypatch):
    store = Folder(tmp_path / "shared")
    store.folder.mkdir()
    source = tmp_path / "source"
    source.write_bytes(b"frames")
    copying = shutil.copyfile
    states: list[bytes] = []

    def half_of_it(from_file: Path, to_file: Path) -> None:
        with to_file.open("wb", buffering=0) as file:
            file.write(b"fra")
            monkeypatch.setattr("shutil.copyfile", copying)
            store.add(source, NAME)  # by another process
            states.append((store.folder / NAME).read_bytes())
            file.write(b"mes")

    def no_links(*asked: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr("os.link", no_links)
    monkeypatch.setattr("shutil.copyfile", half_of_it)
    store.add(source, NAME)
    assert states == [b"frames"]
    assert (store.folder / NAME).read_bytes() == b"frames"
    assert [path.name for path in store.folder.iterdir()] == [NAME]


def test_nothing_is_left_beside_what_is_stored(tmp_path):
    store = Folder(tmp_path)
    (tmp_path / "source").write_bytes(b"frames")
    store.add(tmp_path / "source", NAME)
    store.add(tmp_path / "source", NAME)  # linked already

    def fails(file: IO[bytes]) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    with pytest.raises(OSError, match="no space left"):
        store.write("features", fails)
    with pytest.raises(FileNotFoundError):
        store.add(tmp_path / "none", "b.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, "source"]


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("s3://key:secret@films/x", "credentials and an endpoint come from the environment"),
        ("s3://films/x?endpoint=http://a", "credentials and an endpoint come from the environment"),
        ("s3:/films/x", "lacks a slash; an address is s3://BUCKET/PREFIX"),
        ("s3:films/x", "lacks a slash; an address is s3://BUCKET/PREFIX"),
        ("s3://", "names no bucket"),
        ("s3://[films/x", "is no address of a store: Invalid IPv6 URL"),
        ("file:///", "names no folder of this machine"),
        ("", "the name of a folder or store is empty"),
        ("s3://films/../c", r"segment that is empty, '\.' or '\.\.', .* give s3://films/c$"),
        ("s3://films/a/./c", "give s3://films/a/c$"),
        ("s3://films//double", "give s3://films/double$"),
        ("s3://films///double", "give s3://films/double$"),
        ("s3://films/a/..", "give s3://films$"),
        ("s3://../a", "names no bucket"),
        ("S3:/films/x", "lacks a slash; an address is s3://BUCKET/PREFIX"),
        ("http://127.0.0.1:5005/films", r"AWS_ENDPOINT_URL=http://127\.0\.0\.1:5005$"),
        ("HTTPS://minio.example/films/x", "give the place as s3://BUCKET/PREFIX"),
        ("https://key:secret@minio.example/films", "credentials and an endpoint come from the environment"),
        ("~nobody-of-this-name/x", "home folder of '~nobody-of-this-name/x' is not known; give the whole"),
        ("film://films/x", "cannot be used: ValueError: Protocol not known: film"),
        ("file://host/x", "names no folder of this machine"),
    ],
)
def test_what_is_no_address_of_a_store_is_one_sentence(place, says):
    with pytest.raises(UsageError, match=says) as told:
        storage_at(place)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("a/b", "a", True),
        ("a", "a/b", True),
        ("a/b", "a/bc", False),
        ("s3://films/a", "s3://films/a/b", True),
        ("s3://films/a/b", "s3://films/a/b", True),
        ("s3://films", "s3://films/a", True),
        ("s3://films/a", "s3://films/ab", False),
        ("s3://films/a", "a", False),
        ("a", "s3://films/a", False),
    ],
)
def test_places_overlap_where_one_lies_inside_the_other(server, one, other, overlap):
    assert storage_at(one).overlaps(storage_at(other)) == overlap


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert storage_at("~/clips") == Folder(tmp_path / "clips")
    assert storage_at(Path("~/clips")) == Folder(tmp_path / "clips")
    assert local_folder("~") == tmp_path
    assert storage_at("a/~/b") == Folder(Path("a/~/b"))


def test_the_kind_of_an_address_may_be_in_upper_case(server):
    server.empty()
    server.put("UP/a.mp4", b"frames")
    store = storage_at("S3://films/UP/")
    assert str(store) == "s3://films/UP"
    assert store.file(NAME).read_bytes() == b"frames"
    assert storage_at("FILE:///data/Clips") == Folder(Path("/data/Clips"))


def test_a_server_that_is_away_for_a_moment_is_asked_again(server):
    server.empty()
    server.put(f"x/{NAME}", b"frames")
    forget_stores()
    store = storage_at("s3://films/x")
    assert store.file(NAME).is_file()
    server.stop()
    back = threading.Timer(1.0, server.start)
    back.start()
    try:
        assert store.file(NAME).read_bytes() == b"frames"
    finally:
        back.join()


def test_without_s3fs_the_extra_is_named(monkeypatch):
    def url_to_fs(*asked: object, **options: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", url_to_fs)
    with pytest.raises(UsageError, match=r"install it: pip install 'screentest\[s3\]'"):
        storage_at("s3://another/prefix")


def test_a_bucket_that_is_not_there_is_named(server):
    with pytest.raises(UsageError, match="there is no bucket for s3://nowhere/x"):
        storage_at("s3://nowhere/x").identify()


def test_a_server_that_is_gone_is_no_fault_of_what_was_asked(server, monkeypatch):
    server.empty()
    monkeypatch.setattr(object_store, "_TRIES", 2)
    forget_stores()
    store = storage_at("s3://films/x")
    store.identify()
    server.stop()
    try:
        for asked in (
            lambda: store.open(NAME),
            lambda: store.file(NAME).is_file(),
            lambda: list(store.hashed([NAME])),
            lambda: store.write(NAME, lambda file: file.write(b"x")),
        ):
            with pytest.raises(ServiceDown, match="the same command goes on from here"):
                asked()
        assert not store.is_known_as("any")
    finally:
        server.start()
    assert store.identify()


def test_a_server_that_never_answers_is_given_up(server, monkeypatch, tmp_path):
    monkeypatch.setattr(object_store, "_LONGEST_S", 0.5)
    monkeypatch.setattr(object_store, "_LONGEST_CLIP_S", 0.5)
    (tmp_path / NAME).write_bytes(b"x")
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes what is sent, and says nothing
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        forget_stores()
        store = storage_at("s3://films/deaf")
        assert isinstance(store, ObjectStore)
        for asked in (
            store.identify,
            lambda: store.has(NAME),
            lambda: store.write(NAME, lambda file: file.write(b"x")),
            lambda: store.add(tmp_path / NAME, NAME),
            lambda: store.fetch(NAME, tmp_path / "fetched"),
        ):
            with pytest.raises(ServiceDown, match=r"deaf does not answer as it should \(no answer in time\)"):
                asked()
    forget_stores()


def test_credentials_that_are_missing_or_refused_are_named(server, monkeypatch, tmp_path):
    from botocore.exceptions import NoCredentialsError

    store = storage_at("s3://films/x")
    assert isinstance(store, ObjectStore)

    def failing(error: Exception) -> None:
        def raises(*asked: object, **options: object) -> None:
            raise error

        monkeypatch.setattr(store._system, "cat_file", raises)

    failing(NoCredentialsError())
    with pytest.raises(UsageError, match="there are no credentials for s3://films/x"):
        store.open(NAME)
    failing(PermissionError("Access Denied"))
    with pytest.raises(UsageError, match="access to s3://films/x is refused"):
        store.open(NAME)


def test_an_endpoint_s_password_is_in_no_message(server, monkeypatch):
    store = storage_at("s3://films/x")
    assert isinstance(store, ObjectStore)

    def fails(*asked: object, **options: object) -> None:
        raise OSError("no answer of https://ann:se@cret@minio.example:9000/films from me@example.org")

    monkeypatch.setattr(store, "_ask", fails)
    with pytest.raises(ServiceDown, match=r"https://minio\.example:9000/films from me@example\.org") as told:
        store.open(NAME)
    assert "cret" not in str(told.value)


def test_local_files_of_a_store_are_in_the_user_s_cache(server, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert local_folder("s3://films/x") == tmp_path / "screentest" / "stores" / "s3---films-x"
    assert local_folder("cache") == Path("cache")
    assert storage_at("cache") == Folder(Path("cache"))
