"""Frames off a connection: whole, in order, and whatever is no frame is told to who decodes."""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Iterable

import pytest
import urllib3

from maruhub.errors import InvalidData
from maruhub.remote.incoming import read_frames
from maruhub.remote.room import Room
from maruhub.wire.stream import StreamReader, StreamWriter


def answer(body: bytes, *, chunk: int = 0) -> urllib3.HTTPResponse:
    """A response as it comes from a socket, in chunks of ``chunk`` bytes if that is given."""
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    if chunk:
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        parts = [body[at : at + chunk] for at in range(0, len(body), chunk)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])
    inner = http.client.HTTPResponse(_Socket(head + body))  # type: ignore[arg-type]
    inner.begin()
    return urllib3.HTTPResponse(inner, preload_content=False, original_response=inner)


class _Socket(socket.socket):
    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data

    def makefile(self, *how: object, **more: object) -> io.BufferedReader:  # type: ignore[override]
        self.close()
        return io.BufferedReader(io.BytesIO(self._data))  # type: ignore[arg-type]


def stream() -> list[bytes]:
    writer = StreamWriter()
    frames = [writer.begin({})]
    frames += [writer.samples(bytes(size)) for size in (0, 1, 100_000, 3 << 20)]
    return [*frames, writer.end()]


@pytest.mark.parametrize("chunk", [0, 1000, 31, 1 << 20])
def test_each_frame_comes_whole(chunk: int) -> None:
    expected = stream()
    got = [bytes(frame) for frame in read_frames(answer(b"".join(expected), chunk=chunk), Room())]
    assert got == expected


def fed(frames: Iterable[object]) -> StreamReader:
    reader = StreamReader()
    for frame in frames:
        list(reader.feed(frame))  # type: ignore[arg-type]
    return reader


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 33, 40, 100, -1, -33])
def test_a_cut_answer_is_not_whole(cut: int) -> None:
    whole = b"".join(stream())
    assert not fed(read_frames(answer(whole[:cut]), Room())).ended
    assert fed(read_frames(answer(whole), Room())).ended


def test_a_cut_chunk_is_an_error_of_the_network() -> None:
    inner = http.client.HTTPResponse(  # type: ignore[arg-type]
        _Socket(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n100\r\n" + stream()[0])
    )
    inner.begin()
    with pytest.raises(http.client.HTTPException):
        list(read_frames(urllib3.HTTPResponse(inner, preload_content=False), Room()))


def test_what_is_no_frame_is_refused_by_who_decodes_it() -> None:
    with pytest.raises(InvalidData, match="no frame"):
        fed(read_frames(answer(b"<html>" * 1000), Room()))


def test_what_the_library_reads_in_its_own_way_comes_too() -> None:
    body = b"".join(stream())
    response = urllib3.HTTPResponse(io.BytesIO(body), preload_content=False)
    assert fed(read_frames(response, Room())).ended
