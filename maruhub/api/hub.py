"""A hub, opened: the one object a user holds; everything else is reached from it.

Thin: each method names the layer that does the work.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from maruhub.api.bucket import BucketView
from maruhub.namespace import Namespace

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.api.dataset import DatasetHandle
    from maruhub.api.run import Run
    from maruhub.api.view import DatasetVersion, DataView
    from maruhub.catalog import Catalog
    from maruhub.compose import OpenPool
    from maruhub.ingest import Progress, Report
    from maruhub.lab import Lab, Score


class Hub:
    """An open hub. Safe from many threads; any number of processes may have it open.

    Use it as a context manager, or call ``close``: then another process can go on in
    this one's segments at once (after a kill it does so too, a little later).
    """

    def __init__(self, pool: OpenPool, path: Path, *, actor: str) -> None:
        self.path = path
        self.pool = pool
        self.store = pool.store
        self.namespace = Namespace(pool.store, actor=actor)

    def __repr__(self) -> str:
        return f"<hub at {self.path}>"

    @functools.cached_property
    def catalog(self) -> Catalog:
        """Datasets, versions and views of this hub."""
        from maruhub.catalog import Catalog

        return Catalog(self.namespace)

    @functools.cached_property
    def lab(self) -> Lab:
        """Runs and scores of this hub."""
        from maruhub.lab import Lab

        return Lab(self.catalog)

    # ------------------------------------------------------------ objects

    def bucket(self, name: str) -> BucketView:
        """A bucket as a mapping; the first put makes it."""
        return BucketView(self.namespace, name)

    def buckets(self) -> list[BucketView]:
        """All buckets, by name."""
        return [self.bucket(bucket.name) for bucket in self.namespace.buckets.all()]

    def ingest(
        self,
        source: str | Path,
        into: str,
        *,
        progress: Callable[[Progress], None] | None = None,
        **options: Any,
    ) -> Report:
        """Brings a folder, glob, archive or any fsspec URL to ``bucket`` or ``bucket/prefix``.

        What is there already is not copied again. The report says what came, what was
        skipped, and what was refused and why. ``options``: see :mod:`maruhub.ingest`.
        """
        from maruhub.ingest import ingest

        return ingest(self.namespace, source, into, progress=progress, **options)

    # ------------------------------------------------------------ datasets

    def dataset(self, name: str) -> DatasetHandle:
        """A dataset by name; the first commit makes it."""
        from maruhub.api.dataset import DatasetHandle

        return DatasetHandle(self.catalog.dataset(name), self.store)

    def datasets(self) -> list[DatasetHandle]:
        """All datasets, by name."""
        return [self.dataset(name) for name in self.catalog.datasets()]

    def version(self, name: str) -> DatasetVersion:
        """A version by its address: ``cats@v3``, ``cats@latest``, or ``cats`` (the latest)."""
        dataset, _, version = name.partition("@")
        return self.dataset(dataset)[version or "latest"]

    def view(self, digest: str) -> DataView:
        """A view that was saved, by its digest."""
        from maruhub.api.view import DataView

        return DataView(self.catalog.view(digest), self.store)

    def sql(self, query: str) -> pa.Table:
        """An SQL query over datasets as tables: ``cats``, ``"cats@v3"``."""
        return self.catalog.sql(query)

    # ------------------------------------------------------------ training

    def run(
        self,
        view: DataView,
        *,
        name: str,
        code: str = "",
        parameters: Mapping[str, object] | None = None,
        seed: int = 0,
    ) -> Run:
        """Starts a recorded run over ``view``; use it in a ``with`` statement.

        ``code`` says what runs (a file's path, a commit). Its batches remember what they
        hand out, which is what makes a later score held-out or not.
        """
        from maruhub.api.run import Run

        started = self.lab.runs.start(
            view.catalog_view, name=name, code=code, parameters=dict(parameters or {}), seed=seed
        )
        return Run(started, view, seed=seed)

    def evaluate(
        self, run: Run | str, view: DataView, metrics: Mapping[str, float], *, allow_leak: bool = False
    ) -> Score:
        """Records a score of a run on ``view``; raises NotHeldOut if it has seen one of its samples.

        With ``allow_leak`` the score is kept, marked as what it is: not held-out.
        """
        return self.lab.evaluate(
            run if isinstance(run, str) else run.lab_run,
            view.catalog_view,
            dict(metrics),
            allow_leak=allow_leak,
        )

    # ------------------------------------------------------------ care

    def status(self) -> Any:
        """What the hub holds, how it is protected, how fast it was; ``to_json()`` for programs."""
        return self.pool.status()

    def check(self, **options: Any) -> Any:
        """Reads and verifies everything; with ``rebuild_index=True`` makes the index again first."""
        return self.pool.check(**options)

    def close(self) -> None:
        """Closes this process's open segments."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
