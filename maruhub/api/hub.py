"""A hub, opened: the one object a user holds; everything else is reached from it.

Thin: each method names the layer that does the work.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from maruhub import argument
from maruhub.api.bucket import BucketView
from maruhub.errors import InvalidInput
from maruhub.namespace import Namespace
from maruhub.namespace.address import parse_bucket_path

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.api.care import Care
    from maruhub.care.check import CheckReport
    from maruhub.care.reclaim import Reclaim
    from maruhub.care.speed import Speed
    from maruhub.care.status import Status
    from maruhub.catalog import Catalog, Dataset, Version, View
    from maruhub.compose import OpenPool
    from maruhub.ingest import Progress, Report
    from maruhub.lab import Lab, Run, Runs, Score
    from maruhub.loaders import Batches, Recorder
    from maruhub.loaders.mix import Mix
    from maruhub.namespace.users import Users
    from maruhub.store.roster import Roster


class Hub:
    """An open hub. Safe from many threads; any number of processes may have it open.

    Use it as a context manager, or call ``close``: then another process can go on in
    this one's segments at once (after a kill it does so too, a little later).
    """

    def __init__(self, pool: OpenPool, path: Path, *, actor: str) -> None:
        self.path = path
        self.actor = actor
        self.closed = False
        self.pool = pool
        self.store = pool.store
        self.namespace = Namespace(pool.store, actor=actor)

    def __repr__(self) -> str:
        return f"<hub at {self.path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Handed to another process (spawn, forkserver) a hub is its path: it is opened there.
        from maruhub.api.door import arrived

        return arrived, (self.path, self.pool.read_only, self.actor)

    @functools.cached_property
    def catalog(self) -> Catalog:
        """Datasets, versions and views of this hub."""
        from maruhub.catalog import Catalog

        return Catalog(self.namespace, loader=self.batches, door=self)

    @functools.cached_property
    def care(self) -> Care:
        """What keeps this hub safe and small, once or beside other work."""
        from maruhub.api.care import Care

        return Care(self.pool)

    @property
    def reclaim(self) -> Reclaim:
        """What removes for good: ``survey()`` says what would go and why not, ``expire()`` does it."""
        from maruhub.api.reclaim import reclaim_of

        return reclaim_of(self.store, actor=self.actor)

    @functools.cached_property
    def lab(self) -> Lab:
        """Runs and scores of this hub."""
        from maruhub.lab import Lab
        from maruhub.loaders.order import positions_of

        return Lab(self.catalog, self.namespace, order=positions_of)

    @functools.cached_property
    def blades(self) -> Roster:
        """The drives of this hub: listed, added, drained, removed and replaced while it is used."""
        from maruhub.store.roster import Roster

        return Roster(self.store, self.pool.found)

    @functools.cached_property
    def users(self) -> Users:
        """Who may come over HTTP, and with which keys; local processes are bound by file permissions."""
        from maruhub.namespace.users import Users
        from maruhub.namespace.vault import Vault
        from maruhub.store.pool import SECRETS_FILE

        return Users(self.store, self.namespace.actor, Vault(self.path / SECRETS_FILE))

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
        from maruhub.ingest import IngestOptions, ingest

        argument.path("source", source)
        argument.function("progress", progress)
        argument.options(IngestOptions, options)
        where = parse_bucket_path(argument.text("into", into, hint="Write BUCKET or BUCKET/PREFIX."))
        leave_out = (self.path, *(blade.root for blade in self.pool.found.local_blades))
        return ingest(
            self.namespace,
            source,
            where.bucket,
            where.key,
            options=IngestOptions(**{"leave_out": leave_out, **options}),
            progress=progress,
        )

    # ------------------------------------------------------------ datasets

    def dataset(self, name: str) -> Dataset:
        """A dataset by name; the first commit makes it."""
        return self.catalog.dataset(name)

    def datasets(self) -> list[Dataset]:
        """All datasets, by name."""
        return [self.dataset(name) for name in self.catalog.datasets()]

    def version(self, address: str) -> Version:
        """A version by its address: ``cats@v3``, ``cats@latest``, or ``cats`` (the latest)."""
        argument.text("a version's address", address, hint="Write 'cats@v3', or 'cats' for the latest.")
        name, _, version = address.partition("@")
        return self.dataset(name)[version or "latest"]

    def view(self, digest: str) -> View:
        """A view that was saved, by its digest."""
        return self.catalog.view(digest)

    def sql(self, query: str) -> pa.Table:
        """The answer to a SELECT over datasets as tables: ``cats``, ``"cats@v3"``."""
        return self.catalog.sql(query)

    # ------------------------------------------------------------ training

    def mix(self, views: Sequence[View], shares: Sequence[int]) -> Mix:
        """Several views as one, to make batches of: of every ``sum(shares)`` samples so many are of each.

        ``hub.mix([cats, dogs], [3, 1]).batches(64, seed=7)``. Shares are exact, in each run of
        that length and over any number of epochs; each view goes round at its own pace, through
        all of its samples before they come again. An epoch is as long as all views together.
        """
        from maruhub.loaders.mix import Mix

        for view in argument.several("views", views):
            _check_view(view)
            if view.home.split_key != self.store.split_key:
                raise InvalidInput(f"{view} belongs to another hub.", hint="Copy its objects here first.")
        return Mix(views, shares, loader=self.batches)

    def batches(
        self, view: View | Mix, batch_size: int, *, run: Run | str | None = None, **options: Any
    ) -> Batches:
        """Random batches of a view; the same as ``view.batches(batch_size, …)``.

        A batch has ``.ids``, ``.blobs`` (memoryviews) and ``.columns`` (a table). The order
        is a pure function of view, seed and epoch; ``state_dict`` resumes exactly, under
        another ``world`` or batch size too. With ``run`` what is handed out is recorded,
        so that a score can be called held-out later; it is a run or its id. ``options`` are those of
        :class:`maruhub.loaders.LoaderOptions`: seed, rank, world, epochs, shuffle, order, …
        """
        from maruhub.loaders import Batches
        from maruhub.loaders.door import ViewDoor
        from maruhub.loaders.mix import Mix

        def recorder(part: View) -> Recorder:
            assert run is not None, "asked only where a run is recorded"
            return self.runs.recorder(run, part)

        if not isinstance(view, Mix):
            _check_view(view)
        door = ViewDoor(self.view, self._keep, recorder)
        return Batches(view, self.store, batch_size, **door.options(view, options, recorded=run is not None))

    def _keep(self, view: Any) -> None:
        """Saves a view that batches of this hub are to go on in; InvalidInput for any other's."""
        home = getattr(view, "home", None)
        if home is None or not hasattr(view, "save"):
            raise argument.wrong("newer", view, "a version or view", hint="Such as hub.version('cats').")
        if home.split_key != self.store.split_key:
            raise InvalidInput(f"{view} belongs to another hub.", hint="Join a version of this one.")
        view.save()

    @property
    def runs(self) -> Runs:
        """The runs of this hub: ``get``, ``all``, ``leaderboard``."""
        return self.lab.runs

    def run(
        self,
        view: View,
        *,
        name: str,
        code: str = "",
        parameters: Mapping[str, Any] | None = None,
        seed: int = 0,
        parents: Sequence[str | Run] = (),
    ) -> Run:
        """Starts a recorded run over ``view``; use it in a ``with`` statement.

        ``code`` says what runs (default: the git commit of this folder), ``parents`` are
        the runs whose model it begins with. Give the run to ``batches(…, run=run)``.
        """
        _check_view(view)
        return self.runs.start(view, name=name, code=code, parameters=parameters, seed=seed, parents=parents)

    def evaluate(
        self, run: Run | str, view: View, metrics: Mapping[str, float], *, allow_leak: bool = False
    ) -> Score:
        """Records a score of a run on ``view``; raises NotHeldOut if it has read one of its samples.

        With ``allow_leak`` the score is kept, marked as what it is: leaked.
        """
        from maruhub.lab import Run

        _check_view(view)
        if not isinstance(run, str | Run):
            raise argument.wrong("run", run, "a run or its id")
        argument.mapping("metrics", metrics)
        return self.lab.evaluate(run, view, metrics, allow_leak=allow_leak)

    # ------------------------------------------------------------ care

    def status(self) -> Status:
        """What the hub holds, where, and which failures it survives; counted now."""
        return self.pool.status()

    def speed(self) -> Speed:
        """How fast this machine reads the hub's objects, beside the same bytes as plain files."""
        return self.pool.speed()

    def check(
        self, *, rebuild_index: bool = False, progress: Callable[[int], None] | None = None
    ) -> CheckReport:
        """Reads and verifies every copy of everything; ``progress`` hears of the bytes read.

        With ``rebuild_index`` the index is made anew first, from the segments alone.
        """
        return self.pool.check(rebuild_index=rebuild_index, progress=progress)

    def close(self) -> None:
        """Closes this process's open segments and lets go of the hub; views live on. Idempotent.

        What other threads are at is ended first, or ends in Unavailable, as does all that is asked later.
        """
        self.closed = True
        care: Care | None = vars(self).get("care")
        with nullcontext() if care is None else care.ending():
            self.pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_view(view: object) -> None:
    from maruhub.catalog import View

    if not isinstance(view, View):
        raise argument.wrong(
            "view", view, "a version or view", hint="Such as hub.version('cats').split('train')."
        )
