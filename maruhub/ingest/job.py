"""An ingest from start to end: threads, one feed, one tally, a report."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from maruhub.errors import InvalidInput, MaruError, NotFound
from maruhub.ingest.destination import Destination, HubDestination
from maruhub.ingest.feed import Feed
from maruhub.ingest.lander import Lander
from maruhub.ingest.opening import open_source
from maruhub.ingest.options import IngestOptions
from maruhub.ingest.progress import Progress
from maruhub.ingest.report import Report
from maruhub.ingest.source import Source
from maruhub.ingest.tally import Tally
from maruhub.namespace import Namespace
from maruhub.namespace.names import check_bucket_name, encode_text


def ingest(
    into: Namespace | Destination,
    source: str | Path,
    bucket: str,
    prefix: str = "",
    *,
    options: IngestOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Brings what a source holds into a bucket; a second time copies nothing.

    Args:
        into: The hub's names, or another destination.
        source: A folder, a file, a glob, a tar or zip, or any fsspec URL.
        bucket: Made if there is none.
        prefix: The source's content goes below it.
        options: See :class:`IngestOptions`.
        progress: Called now and then, from other threads.

    Returns:
        What was done; what was refused stands in it. The hub keeps it (:class:`Reports`).

    Raises:
        NotFound, InvalidInput: The source isn't there or can't be one; nothing changed.
        NoSpace, ReadOnly, BladeLost: The hub takes no more. What was reported stored is
            durable, nothing is half there, and the same call goes on from there.
    """
    options = options or IngestOptions()
    check_bucket_name(bucket)
    encode_text(prefix, "prefix")
    opened = open_source(source, options)
    try:
        destination = HubDestination(into) if isinstance(into, Namespace) else into
        return ingest_source(destination, opened, bucket, prefix, options=options, progress=progress)
    finally:
        opened.close()


def ingest_source(
    destination: Destination,
    source: Source,
    bucket: str,
    prefix: str = "",
    *,
    options: IngestOptions,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """:func:`ingest` for a source of one's own making; the caller closes it."""
    below = prefix if not prefix or prefix.endswith("/") else prefix + "/"
    tally = Tally(options.refusals_max, progress)
    feed = Feed(source, options, tally)
    lander = Lander(destination, source, bucket=bucket, prefix=below, options=options, tally=tally)
    workers = Workers(feed, lander)
    try:
        workers.run(options.worker_count)
    except BaseException as error:
        stopped = str(error) or type(error).__name__
        _keep_if_possible(destination, tally.report(source.name, bucket, prefix, stopped=stopped))
        if isinstance(error, MaruError) and not isinstance(error, NotFound | InvalidInput):
            raise _told(error, tally.report(source.name, bucket, prefix)) from None
        raise
    finally:
        tally.tell()
    report = tally.report(source.name, bucket, prefix)
    if not (report.stored or report.unchanged or report.metadata_updated or report.refused_total):
        destination.create_bucket(bucket)
    destination.keep(report)
    return report


class Workers:
    """Threads that take chunks from a feed until it ends or one of them fails."""

    def __init__(self, feed: Feed, lander: Lander) -> None:
        self._feed = feed
        self._lander = lander
        self._stop = threading.Event()
        self._failure: BaseException | None = None

    def run(self, count: int) -> None:
        """Runs to the end; raises the first failure, or KeyboardInterrupt.

        Either way every thread has ended its commit when this returns or raises.
        """
        threads = [threading.Thread(target=self._work, name=f"maru-ingest-{i}") for i in range(count)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self._stop.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # its traceback names this frame: a cycle that would hold what was being read

    def _work(self) -> None:
        try:
            while not self._stop.is_set() and (chunk := self._feed.take()):
                self._lander.land(chunk)
        except BaseException as error:  # noqa: BLE001 - raised again by run
            self._failure = self._failure or error
            self._stop.set()


def _keep_if_possible(destination: Destination, report: Report) -> None:
    try:
        destination.keep(report)
    except MaruError:
        # The hub that stopped the ingest may not take a report either.
        pass


def _told(error: MaruError, report: Report) -> MaruError:
    kept = report.stored + report.unchanged + report.metadata_updated
    stays = {0: "0 objects are stored", 1: "1 object is stored and stays"}
    stored = stays.get(kept, f"{kept:,} objects are stored and stay")
    hint = f"{error.hint} {stored}; the same ingest goes on from there.".strip()
    return type(error)(error.what, hint=hint)
