"""Decoders: right values of right bytes, and a clear error, at bounded cost, of all others."""

from __future__ import annotations

import io
import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from maruhub.errors import InvalidData, InvalidInput
from maruhub.loaders import decoders
from maruhub.loaders.decoders import image as image_module

RNG = np.random.default_rng(1)
PIXELS = np.kron(RNG.integers(0, 255, (12, 17, 3), dtype=np.uint8), np.ones((8, 8, 1), dtype=np.uint8))


def image(kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture = PIL.Image.fromarray(PIXELS)
    (picture.convert("CMYK") if options.pop("cmyk", False) else picture).save(out, kind, **options)
    return out.getvalue()


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


def sound(kind: str = "WAV") -> bytes:
    out = io.BytesIO()
    soundfile.write(
        out, np.sin(np.arange(8000) / 20).astype(np.float32)[:, None] * [0.5, 0.25], 16_000, format=kind
    )
    return out.getvalue()


def table(kind: str) -> bytes:
    rows = pa.table({"a": list(range(100)), "b": ["x"] * 100})
    out = io.BytesIO()
    if kind == "parquet":
        pq.write_table(rows, out)
    else:
        make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        with make(out, rows.schema) as writer:
            writer.write_table(rows)
    return out.getvalue()


def view(data: bytes) -> memoryview:
    return memoryview(data).toreadonly()


def test_png_comes_out_as_it_went_in() -> None:
    assert np.array_equal(decoders.Image()(view(image("PNG"))), PIXELS)
    grey = decoders.Image(mode="L")(view(image("PNG")))
    assert np.array_equal(grey, np.asarray(PIL.Image.fromarray(PIXELS).convert("L")))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 95, "subsampling": 0}], ids=str)
def test_the_fast_jpeg_decoder_gives_pillows_pixels(
    mode: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = view(image("JPEG", **options))
    fast = decoders.Image(mode=mode)(data)
    monkeypatch.setattr(image_module, "_simplejpeg", lambda: None)
    slow = decoders.Image(mode=mode)(data)
    assert fast.shape == slow.shape == PIXELS.shape[: 3 if mode == "RGB" else 2]
    assert np.abs(fast.astype(int) - slow.astype(int)).mean() < 1


def test_other_kinds_of_images_come_too() -> None:
    for kind in ("WEBP", "BMP", "TIFF", "GIF"):
        assert decoders.Image()(view(image(kind))).shape == PIXELS.shape
    assert decoders.Image()(view(image("JPEG", cmyk=True))).shape == PIXELS.shape


@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize(
    "dtype", ["u1", ">i4", "<f8", "U3", "M8[s]", [("a", "i4"), ("b", "f4", (2,))]], ids=str
)
def test_arrays_are_views_of_the_bytes(shape: tuple[int, ...], dtype: Any) -> None:
    array = np.zeros(shape, dtype=dtype)
    for data in (npy(array), npy(np.array(array, order="F")), npy(array, version=(2, 0))):
        got = decoders.Array()(view(data))
        assert got.dtype == array.dtype
        assert np.array_equal(got, array)
        assert not got.flags.writeable
        assert not got.flags.owndata


def test_sound_text_rows_and_raw_come_out() -> None:
    for kind in ("WAV", "FLAC", "OGG"):
        heard = decoders.Audio()(view(sound(kind)))
        assert (heard.rate, heard.samples.shape, heard.samples.dtype) == (16_000, (8000, 2), np.float32)
        assert abs(float(np.abs(heard.samples[:, 0]).max()) - 0.5) < 0.05
    assert decoders.Audio(dtype="int16")(view(sound())).samples.dtype == np.int16
    assert decoders.Text()(view("마루".encode())) == "마루"
    assert decoders.Text("utf-16")(view("마루".encode("utf-16"))) == "마루"
    assert decoders.Raw()(view(b"abc")) == b"abc"
    for kind in ("parquet", "file", "stream"):
        assert decoders.Rows()(view(table(kind))).column("a").to_pylist() == list(range(100))
        assert decoders.Rows(columns=("b",))(view(table(kind))).column_names == ["b"]


GOOD: list[tuple[Callable[[memoryview], Any], bytes]] = [
    (decoders.Image(), image("JPEG")),
    (decoders.Image(), image("PNG")),
    (decoders.Image(), image("WEBP")),
    (decoders.Array(), npy(PIXELS)),
    (decoders.Audio(), sound()),
    (decoders.Audio(), sound("FLAC")),
    (decoders.Rows(), table("parquet")),
    (decoders.Rows(), table("file")),
    (decoders.Rows(), table("stream")),
]


@pytest.mark.parametrize(("decoder", "data"), GOOD, ids=lambda each: repr(each)[:20])
def test_cut_and_rotten_bytes_are_a_clear_error_or_a_value(decoder: Any, data: bytes) -> None:
    """No other error, no hang: what a fuzzer finds first. Sums find rot; this is for files that came bad."""
    draw = np.random.default_rng(7)
    cuts = [data[:at] for at in (0, 1, 3, 7, 16, len(data) // 2, len(data) - 30)]
    for _ in range(150):
        rotten = bytearray(data)
        for _ in range(int(draw.integers(1, 4))):
            rotten[int(draw.integers(0, min(len(data), 600)))] = int(draw.integers(0, 256))
        cuts.append(bytes(rotten))
    for bad in [*cuts, b"\x80\x04K\x01."]:
        try:
            decoder(view(bad))
        except InvalidData:
            continue


@pytest.mark.parametrize(
    ("decoder", "data", "says"),
    [
        (decoders.Image(), b"", "no whole image"),
        (decoders.Image(), image("JPEG")[:-200], "no whole JPEG"),
        (decoders.Image(), image("PNG")[:-200], "no whole image"),
        (decoders.Image(max_pixels=100), image("PNG"), r"136 × 96 pixels.*max_pixels"),
        (decoders.Image(max_pixels=100), image("JPEG"), r"136 × 96 pixels.*max_pixels"),
        (decoders.Text(), b"\xff", "no text in utf-8"),
        (decoders.Array(), npy(PIXELS)[:-1], r"promises \d+ bytes"),
        (decoders.Array(), npy(PIXELS) + b"x", r"promises \d+ bytes"),
        (decoders.Array(), b"\x93NUMPY", "no .npy"),
        (decoders.Audio(), b"RIFF", "no sound"),
        (decoders.Audio(max_samples=100), sound(), "8000 frames of 2 channels"),
        (decoders.Rows(), b"PAR1", "no table"),
        (decoders.Rows(max_bytes=100), table("parquet"), "unpacks to"),
        (decoders.Rows(columns=("z",)), table("file"), "no table"),
    ],
    ids=lambda each: repr(each)[:20],
)
def test_what_cannot_be_decoded_says_why(decoder: Any, data: bytes, says: str) -> None:
    with pytest.raises(InvalidData, match=says):
        decoder(view(data))


def test_an_array_of_objects_is_refused_and_nothing_in_it_is_run() -> None:
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidData, match="unpickled"):
        decoders.Array()(view(out.getvalue()))


def test_a_header_that_lies_costs_no_memory() -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }".ljust(117) + "\n"
    lie = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidData, match="promises"):
            decoders.Array()(view(lie))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "make",
    [
        lambda: decoders.Image(mode="BGR"),  # type: ignore[arg-type]
        lambda: decoders.Image(max_pixels=0),
        lambda: decoders.Text("klingon"),
        lambda: decoders.Audio(dtype="int8"),  # type: ignore[arg-type]
        lambda: decoders.Rows(columns="a"),  # type: ignore[arg-type]
    ],
)
def test_wrong_settings_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(InvalidInput):
        make()


def test_a_missing_library_is_told_when_the_decoder_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    image_module._pillow_open.cache_clear()
    with pytest.raises(InvalidInput, match=r"maruhub\[image\]"):
        decoders.Image()
    image_module._pillow_open.cache_clear()


def test_decoders_go_to_other_processes() -> None:
    for decoder, _ in GOOD:
        assert pickle.loads(pickle.dumps(decoder)) == decoder
