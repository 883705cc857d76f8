"""A hub elsewhere: what ``maruhub.connect("https://…")`` gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.remote.bucket import RemoteBucket

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.ingest import Progress, Report
    from maruhub.lab import Run, Runs, Score
    from maruhub.loaders import Recorder
    from maruhub.remote.batches import RemoteBatches
    from maruhub.remote.dataset import RemoteDataset
    from maruhub.remote.mix import RemoteMix
    from maruhub.remote.transport import Transport
    from maruhub.remote.view import RemoteVersion, RemoteView


class RemoteHub:
    """A hub reached over the network. Safe from many threads, and after a fork.

    Buckets, ingest, datasets, views, batches and runs are those of a local :class:`maruhub.Hub`; drives
    and care are not: those are done where the hub is. Handed to another process it
    connects anew there, with the same key.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.url = transport.url

    def __repr__(self) -> str:
        return f"<hub at {self.url}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteHub, (self.transport,)

    def bucket(self, name: str) -> RemoteBucket:
        """A bucket as a mapping; the first put makes it."""
        return RemoteBucket(self.transport, name)

    def buckets(self) -> list[RemoteBucket]:
        """All buckets, by name."""
        return [self.bucket(name) for name in self.transport.call("bucket.names")]

    def dataset(self, name: str) -> RemoteDataset:
        """A dataset by name; the first commit makes it."""
        from maruhub.remote.dataset import RemoteDataset

        return RemoteDataset(self, name)

    def datasets(self) -> list[RemoteDataset]:
        """All datasets, by name."""
        return [self.dataset(name) for name in self.transport.call("dataset.names")]

    def version(self, address: str) -> RemoteVersion:
        """A version by its address: ``cats@v3``, ``cats@latest``, or ``cats`` (the latest)."""
        argument.text("a version's address", address, hint="Write 'cats@v3', or 'cats' for the latest.")
        name, _, version = address.partition("@")
        return self.dataset(name)[version or "latest"]

    def view(self, digest: str) -> RemoteView:
        """A view that was saved, by its digest."""
        from maruhub.remote.view import RemoteView

        view = RemoteView(self, {"view": argument.text("a view's digest", digest)})
        assert view.about is not None  # asked now, so that a wrong digest is told now
        return view

    def sql(self, query: str) -> pa.Table:
        """The answer to a SELECT over datasets as tables: ``cats``, ``"cats@v3"``."""
        return self.table("sql", query=argument.text("a query", query))

    def ingest(
        self,
        source: str | Path,
        into: str,
        *,
        progress: Callable[[Progress], None] | None = None,
        **options: Any,
    ) -> Report:
        """Brings a folder, glob, archive or fsspec URL that is *here* to ``bucket`` or ``bucket/prefix``.

        As :meth:`maruhub.api.Hub.ingest`: what the hub has already is not sent again.
        """
        from maruhub.ingest import IngestOptions, ingest
        from maruhub.namespace.address import parse_bucket_path
        from maruhub.remote.destination import RemoteDestination

        argument.path("source", source)
        argument.function("progress", progress)
        argument.options(IngestOptions, options)
        where = parse_bucket_path(argument.text("into", into, hint="Write BUCKET or BUCKET/PREFIX."))
        destination = RemoteDestination(self.transport)
        return ingest(
            destination, source, where.bucket, where.key, options=IngestOptions(**options), progress=progress
        )

    # ------------------------------------------------------------ training

    def mix(self, views: Sequence[RemoteView], shares: Sequence[int]) -> RemoteMix:
        """Several views as one, in exact shares; see :meth:`maruhub.api.Hub.mix`."""
        from maruhub.remote.mix import RemoteMix

        for view in argument.several("views", views):
            _check_view(view)
            if view.hub.url != self.url:
                raise InvalidInput(f"{view} belongs to another hub.", hint="Copy its objects here first.")
        return RemoteMix(self, views, shares)

    def batches(
        self, view: RemoteView | RemoteMix, batch_size: int, *, run: Run | str | None = None, **options: Any
    ) -> RemoteBatches:
        """Random batches of a view, as of a local hub: the same order, the same state, the same record."""
        from maruhub.loaders.door import ViewDoor
        from maruhub.remote.batches import RemoteBatches
        from maruhub.remote.mix import RemoteMix

        def recorder(part: RemoteView) -> Recorder:
            assert run is not None, "asked only where a run is recorded"
            return self.runs.recorder(run, part)

        if not isinstance(view, RemoteMix):
            _check_view(view)
        door = ViewDoor(self.view, self._keep, recorder)
        return RemoteBatches(
            view, self.transport, batch_size, **door.options(view, options, recorded=run is not None)
        )

    def _keep(self, view: object) -> None:
        """Saves a view that batches are to go on in; InvalidInput for any other hub's, Refused without the right."""
        from maruhub.remote.view import RemoteView

        if not isinstance(view, RemoteView):
            raise argument.wrong("newer", view, "a version or view of this hub")
        if view.hub.url != self.url:
            raise InvalidInput(f"{view} belongs to another hub.", hint="Join a version of this one.")
        view.save()

    @cached_property
    def runs(self) -> Runs:
        """The runs of this hub: ``get``, ``all``, ``leaderboard``."""
        from maruhub.lab import Runs
        from maruhub.remote.ledger import RemoteLedger

        return Runs(RemoteLedger(self.transport))

    def run(self, view: RemoteView, *, name: str, **about: Any) -> Run:
        """Starts a recorded run over ``view``; see :meth:`maruhub.api.Hub.run`."""
        _check_view(view)
        argument.options(self.runs.start, about)
        return self.runs.start(view, name=name, **about)

    def evaluate(
        self, run: Run | str, view: RemoteView, metrics: Mapping[str, float], *, allow_leak: bool = False
    ) -> Score:
        """Records a score of a run on ``view``; raises NotHeldOut if it has read one of its samples.

        It is not sent twice: where the answer is lost, look at the run's scores.
        """
        from maruhub.lab import Run, Score

        _check_view(view)
        if not isinstance(run, str | Run):
            raise argument.wrong("run", run, "a run or its id")
        told = self.transport.call(
            "run.evaluate",
            again=False,
            run=run if isinstance(run, str) else run.id,
            source=view.expected_source(),
            metrics=dict(argument.mapping("metrics", metrics)),
            allow_leak=argument.flag("allow_leak", allow_leak),
        )
        return Score.of_json(told)

    # ------------------------------------------------------------ the way there

    def table(self, call: str, **arguments: Any) -> pa.Table:
        """The table that a call answers."""
        from maruhub.wire.table import decode_table

        return decode_table(self.transport.table(call, **arguments))

    def close(self) -> None:
        """Lets connections go; they are made anew if the hub is used again."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_view(view: object) -> None:
    from maruhub.remote.view import RemoteView

    if not isinstance(view, RemoteView):
        raise argument.wrong("view", view, "a version or view of this hub")
