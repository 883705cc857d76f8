"""Spark: samples and labels as a DataFrame, through Spark's Python data sources.

``register(spark)`` once, then ``spark.read.format("maruhub").options(hub=…, dataset="cats@v3")``.
Partitions are runs of rows, read on the executors: each needs the hub at the same path, or its
address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from maruhub.adapters.tables import read_table, schema_of
from maruhub.api import connect
from maruhub.errors import InvalidInput

BATCH_SAMPLES = 64
"""Samples of an Arrow batch, which Spark holds in memory as one."""

_OPTIONS = {
    "hub",
    "dataset",
    "view",
    "split",
    "where",
    "columns",
    "partitionsamples",
    "accesskey",
    "secretkey",
    "ca",
}


def register(spark: SparkSession) -> None:
    """Makes ``format("maruhub")`` known to a session."""
    spark.dataSource.register(HubDataSource)


class HubDataSource(DataSource):
    """The source ``maruhub``, with these options.

    - ``hub``: the hub's folder, by its whole path, or its address; with an address also ``accessKey``, ``secretKey``, ``ca``;
    - ``dataset``: ``cats@v3``, or ``cats`` for the latest version; or ``view``: a saved view's digest;
    - ``split``: ``train``, ``validation`` or ``test``; ``where``: an SQL expression over the columns;
    - ``columns``: of ``id``, ``bytes`` and the view's columns, with commas between; default all.
      Spark tells a source of Python's no columns: name them, or every sample's bytes are read;
    - ``partitionSamples``: samples of a partition, 4,096.
    """

    @classmethod
    def name(cls) -> str:
        """What the format is called."""
        return "maruhub"

    def schema(self) -> StructType:
        """The columns that were asked for."""
        with _Opened(self.options) as view:
            return from_arrow_schema(schema_of(view, _columns(self.options)))

    def reader(self, schema: StructType) -> DataSourceReader:
        """Reads what :meth:`schema` says."""
        return HubReader({name.lower(): value for name, value in self.options.items()})


class HubReader(DataSourceReader):
    """Plans partitions on the driver, reads them on the executors."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options
        with _Opened(options) as view:
            self._rows = len(view)
            # Dataset names mean their latest version: all partitions must read the same one.
            self._version = view.version_name

    def partitions(self) -> list[InputPartition]:
        """Runs of rows, in the view's sequence."""
        samples = int(self._options.get("partitionsamples", "4096"))
        return [
            InputPartition((start, min(start + samples, self._rows)))
            for start in range(0, max(self._rows, 1), samples)
        ]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The rows of a partition as Arrow batches."""
        start, stop = partition.value
        with _Opened(self._options, self._version) as view:
            schema = schema_of(view, _columns(self._options))
            for at in range(start, stop, BATCH_SAMPLES):
                rows = np.arange(at, min(at + BATCH_SAMPLES, stop), dtype=np.uint64)
                yield from read_table(view, rows, schema).combine_chunks().to_batches()


class _Opened:
    """The view that options name, while it is used."""

    def __init__(self, options: Mapping[str, str], version: str | None = None) -> None:
        # Spark hands them over in whatever case they were written, and in lower case.
        self._options = {name.lower(): value for name, value in options.items()}
        self._version = version
        unknown = sorted(self._options.keys() - _OPTIONS)
        if unknown:
            raise InvalidInput(
                f"option {unknown[0]!r} is not known.", hint=f"Options: {', '.join(sorted(_OPTIONS))}."
            )
        if "hub" not in self._options or ("dataset" in self._options) == ("view" in self._options):
            raise InvalidInput(
                "name a hub and a dataset, or a hub and a view.", hint='.options(hub="…", dataset="cats@v3")'
            )
        if not self._options["hub"].startswith(("/", "http://", "https://")):
            raise InvalidInput(
                f"the hub {self._options['hub']!r} is relative to a folder, and each executor has its own.",
                hint="Name it by its whole path, or by its address.",
            )

    def __enter__(self) -> Any:
        options = self._options
        names = {"accesskey": "access_key", "secretkey": "secret_key", "ca": "ca"}
        given: dict[str, Any] = {to: options[name] for name, to in names.items() if name in options}
        self._hub = connect(options["hub"], **given)
        if "view" in options:
            view: Any = self._hub.view(options["view"])
        else:
            name = options["dataset"].partition("@")[0]
            view = self._hub.version(f"{name}@{self._version}" if self._version else options["dataset"])
        if "split" in options:
            view = view.split(options["split"])
        return view.where(options["where"]) if "where" in options else view

    def __exit__(self, *error: object) -> None:
        self._hub.close()


def _columns(options: Mapping[str, str]) -> list[str] | None:
    named = options.get("columns")
    return None if named is None else [name.strip() for name in named.split(",")]
