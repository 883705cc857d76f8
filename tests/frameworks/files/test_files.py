"""Libraries that read and write files, over ``maru://``."""

from __future__ import annotations

import os
from typing import Any

import duckdb
import fsspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr

from maruhub.api.hub import Hub
from tests.frameworks.samples import SAMPLES, run_guide

FRAME = pd.DataFrame({"number": range(1000), "text": [f"row {i}" for i in range(1000)]})
HUB = {"hub": "hub"}


@pytest.fixture
def fs(hub: Hub) -> Any:
    return fsspec.filesystem("maru", hub="hub", skip_instance_cache=True)


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_pandas(hub: Hub, kind: str) -> None:
    url = f"maru://tables/frame.{kind}"
    options = {"index": False} if kind != "json" else {}
    getattr(FRAME, f"to_{kind}")(url, storage_options=HUB, **options)
    back = getattr(pd, f"read_{kind}")(url, storage_options=HUB)
    pd.testing.assert_frame_equal(back, FRAME, check_dtype=False)
    assert f"frame.{kind}" in hub.bucket("tables")


def test_polars(hub: Hub, fs: Any) -> None:
    frame = pl.from_pandas(FRAME)
    with fs.open("tables/polars.parquet", "wb") as file:
        frame.write_parquet(file)
    with fs.open("tables/polars.parquet") as file:
        assert pl.read_parquet(file).equals(frame)
    lazy = pl.scan_pyarrow_dataset(ds.dataset("tables/polars.parquet", filesystem=fs))
    assert lazy.filter(pl.col("number") < 10).collect().height == 10


def test_duckdb(hub: Hub, fs: Any) -> None:
    with duckdb.connect() as db:
        db.register_filesystem(fs)
        db.execute(
            "COPY (SELECT range AS n FROM range(5000)) TO 'maru://tables/duck.parquet' (FORMAT parquet)"
        )
        assert db.sql("SELECT sum(n) FROM 'maru://tables/duck.parquet'").fetchall() == [(12497500,)]
        db.execute("COPY (SELECT 1 AS a) TO 'maru://tables/parts/one.csv'")
        db.execute("COPY (SELECT 2 AS a) TO 'maru://tables/parts/two.csv'")
        assert db.sql("SELECT sum(a) FROM 'maru://tables/parts/*.csv'").fetchall() == [(3,)]


def test_pyarrow_datasets(hub: Hub, fs: Any) -> None:
    table = pa.table({"part": ["a", "b"] * 50, "n": range(100)})
    ds.write_dataset(table, "tables/parted", format="parquet", partitioning=["part"], filesystem=fs)
    back = ds.dataset("tables/parted", format="parquet", partitioning=["part"], filesystem=fs)
    assert back.to_table(filter=ds.field("part") == "b").num_rows == 50
    assert pq.read_table("tables/parted", filesystem=fs).num_rows == 100


def test_a_footer_is_read_without_the_file(hub: Hub, fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(1).bytes(12 << 20)
    wide = pa.table({"n": [1, 2], "noise": [noise, noise[::-1]]})
    with fs.open("tables/wide.parquet", "wb") as file:
        pq.write_table(wide, file)
    bucket, read = type(hub.bucket("tables")), []
    pieces = bucket.pieces

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        for piece in pieces(self, *args, **options):
            read.append(len(piece))
            yield piece

    monkeypatch.setattr(bucket, "pieces", counted)
    with fs.open("tables/wide.parquet") as file:
        assert pq.read_table(file, columns=["n"]).column("n").to_pylist() == [1, 2]
    assert sum(read) < 8 << 20 < fs.size("tables/wide.parquet")


def test_zarr_and_xarray(hub: Hub) -> None:
    data = np.arange(120_000, dtype=np.float32).reshape(300, 400)
    array = zarr.create_array("maru://arrays/z.zarr", data=data, chunks=(100, 100), storage_options=HUB)
    array[0, :10] = -1
    back = zarr.open_array("maru://arrays/z.zarr", mode="r", storage_options=HUB)
    assert back[0, :10].tolist() == [-1] * 10
    assert np.array_equal(back[100:200], data[100:200])
    cube = xr.Dataset({"t": (("y", "x"), data)}, attrs={"unit": "K"})
    cube.to_zarr("maru://arrays/cube.zarr", storage_options=HUB)
    again = xr.open_zarr("maru://arrays/cube.zarr", storage_options=HUB)
    assert float(again.t.isel(y=slice(10)).sum()) == float(data[:10].sum())
    assert again.attrs == {"unit": "K"}


def test_lance_writes_and_reads_tables_that_come_from_the_hub(hub: Hub, fs: Any, tmp_path: Any) -> None:
    """Lance opens its own stores only: tables go in and out, and its folders as files."""
    import lance

    pq.write_table(pa.Table.from_pandas(FRAME), "tables/frame.parquet", filesystem=fs)
    source = ds.dataset("tables/frame.parquet", filesystem=fs)
    lance.write_dataset(source.scanner(), tmp_path / "rows.lance")
    fs.put(str(tmp_path / "rows.lance"), "tables/rows.lance", recursive=True)
    fs.get("tables/rows.lance", str(tmp_path / "again.lance"), recursive=True)
    assert lance.dataset(tmp_path / "again.lance").take([5, 900]).column("number").to_pylist() == [5, 900]


def test_dask(hub: Hub) -> None:
    import dask
    import dask.bag
    import dask.dataframe as dd

    with dask.config.set(scheduler="threads", num_workers=2):
        dd.from_pandas(FRAME, npartitions=4).to_parquet("maru://tables/dask", storage_options=HUB)
        back = dd.read_parquet("maru://tables/dask", storage_options=HUB)
        assert int(back.number.sum().compute()) == sum(range(1000))
        dask.bag.from_sequence("abcd", npartitions=2).to_textfiles(
            "maru://tables/bag-*.txt", storage_options=HUB
        )
        lines = dask.bag.read_text("maru://tables/bag-*.txt", storage_options=HUB).compute()
    assert [line.strip() for line in lines] == list("abcd")


def test_samples_of_a_version(hub: Hub, fs: Any) -> None:
    files = fs.find("dataset/digits/latest")
    assert len(files) == SAMPLES
    assert len(fs.cat(files[:7])) == 7


def test_the_guide(hub: Hub) -> None:
    os.environ.pop("MARU_HUB", None)
    run_guide("filesystem.md")
