"""Every error that MaruHub raises on purpose, in one tree.

The tree is cut by what the caller does next, not by where the error arose: fix the
call, look elsewhere, read again and retry, wait, ask someone with the right, or wake a
person. Edges (exit status, errno, HTTP) map these kinds by table; a bug of ours is an
assertion and never one of these.

A message says what went wrong, where, and what to do next. ``code`` is a stable word
for programs; codes are only ever added.
"""

from __future__ import annotations


class MaruError(Exception):
    """Root of the tree.

    Args:
        what: One sentence: what is wrong and where (the bucket, key, path, segment).
        hint: What to do next; printed after the message.
        python_hint: The same for who calls from Python, where it isn't said in the same
            words; the command line never shows it.
    """

    code = "Error"

    def __init__(self, what: str, *, hint: str = "", python_hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.python_hint = python_hint or hint

    def __str__(self) -> str:
        return f"{self.what} {self.python_hint}".rstrip()

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.hint, self.python_hint))


def _rebuild(kind: type[MaruError], what: str, hint: str, python_hint: str) -> MaruError:
    return kind(what, hint=hint, python_hint=python_hint)


class InvalidInput(MaruError):
    """The call or the data handed in is wrong: fix it; nothing was changed."""

    code = "InvalidInput"


class InvalidName(InvalidInput):
    """A bucket, key, dataset or column name breaks the rule for names."""

    code = "InvalidName"


class InvalidData(InvalidInput):
    """Bytes handed in are not what they claim to be (an archive, a table, an image)."""

    code = "InvalidData"


class InvalidPart(InvalidInput):
    """A part that an upload is completed with is missing, another one or too small."""

    code = "InvalidPart"


class PartTooSmall(InvalidPart):
    """A part but the last is smaller than S3 lets parts be."""

    code = "PartTooSmall"


class StateMismatch(InvalidInput):
    """A loader's state belongs to another version or view."""

    code = "StateMismatch"


class NotFound(MaruError):
    """What was named does not exist."""

    code = "NotFound"


class NoSuchHub(NotFound):
    """The path holds no hub."""

    code = "NoSuchHub"


class NoSuchBucket(NotFound):
    """The bucket does not exist."""

    code = "NoSuchBucket"


class NoSuchKey(NotFound):
    """The key holds no object (it may be restorable: see ``undelete``)."""

    code = "NoSuchKey"


class NoSuchVersion(NotFound):
    """The version of an object or dataset does not exist or was dropped."""

    code = "NoSuchVersion"


class NoSuchUpload(NotFound):
    """The upload in parts was never begun, or was completed or aborted."""

    code = "NoSuchUpload"


class NoSuchDataset(NotFound):
    """No dataset of that name."""

    code = "NoSuchDataset"


class NoSuchRun(NotFound):
    """No run of that id."""

    code = "NoSuchRun"


class Conflict(MaruError):
    """The state is not what the call assumed: read again, decide, retry."""

    code = "Conflict"


class PreconditionFailed(Conflict):
    """A condition of the write (``if_match``, ``if_none_match``) does not hold."""

    code = "PreconditionFailed"


class AlreadyExists(Conflict):
    """What should be made exists already."""

    code = "AlreadyExists"


class BucketNotEmpty(Conflict):
    """A bucket that still holds objects cannot be removed."""

    code = "BucketNotEmpty"


class Busy(MaruError):
    """Something else holds it right now: wait and try again."""

    code = "Busy"


class Refused(MaruError):
    """A rule forbids it; whoever set the rule can lift it."""

    code = "Refused"


class ReadOnly(Refused):
    """The pool or folder cannot be written by this process."""

    code = "ReadOnly"


class QuotaExceeded(Refused):
    """A bucket, or all that a user owns, would hold more than it may."""

    code = "QuotaExceeded"


class NotHeldOut(Refused):
    """A score may not be called held-out: the run has seen, or may have seen, the split."""

    code = "NotHeldOut"


class UnsupportedFormat(Refused):
    """The pool was written by a newer release: upgrade this one."""

    code = "UnsupportedFormat"


class Unavailable(MaruError):
    """The hub cannot do it in its present state: a person should look."""

    code = "Unavailable"


class NoSpace(Unavailable):
    """No blade has room; reads and deletes go on."""

    code = "NoSpace"


class BladeLost(Unavailable):
    """Too few blades answer for what was asked."""

    code = "BladeLost"


class Corrupt(MaruError):
    """No intact copy of these bytes is left; other objects are readable."""

    code = "Corrupt"
