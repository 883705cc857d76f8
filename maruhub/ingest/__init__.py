"""Ingest: raw data arrives. Folders, archives and fsspec sources become objects.

A *source* lists entries and gives their bytes (``source.Source``, one kind a file); the
*feed* cuts its entries into chunks; a *lander* per worker thread lands a chunk: what the
hub has already is passed over, the rest is read and put in one commit. A run can be
killed at any point: what was committed stays, and the next run goes on.

May use: ``namespace``, the store's commit turn through it, ``errors``. Never happens here:
a write into a source, a link or an archive member followed out of what the user named, a
program or pickle in the data run, an entry stored in part, a version or a label set made
(that is ``catalog``'s).
"""

from maruhub.ingest.entry import Refusal
from maruhub.ingest.job import ingest
from maruhub.ingest.options import IngestOptions
from maruhub.ingest.progress import Progress
from maruhub.ingest.reason import Reason
from maruhub.ingest.report import Report
from maruhub.ingest.reports import Reports

__all__ = ["IngestOptions", "Progress", "Reason", "Refusal", "Report", "Reports", "ingest"]
