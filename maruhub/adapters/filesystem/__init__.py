"""The hub as an fsspec file system: ``maru://bucket/key``, ``maru://dataset/NAME/VERSION/…``.

fsspec finds it by its entry point, so whatever takes a URL takes these: pandas, Polars, DuckDB,
Dask, Zarr, xarray, Lance, pyarrow. ``tree`` says once what the hub looks like as folders and
files, ``file`` is what is open, ``os_error`` the table of errors, ``system`` speaks fsspec.

May use: ``api``, addresses of ``namespace``, fsspec. Never here: a rule of names or deletes.
"""

from __future__ import annotations

from maruhub.adapters.filesystem.system import MaruFileSystem

__all__ = ["MaruFileSystem"]
