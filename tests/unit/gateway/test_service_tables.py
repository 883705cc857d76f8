"""The tables of the service are complete: each operation has its function, each error its code."""

from __future__ import annotations

import inspect

from maruhub import errors
from maruhub.gateway.s3.failure import STATUSES, S3Failure
from maruhub.gateway.s3.operation import READS, Operation, Support
from maruhub.gateway.s3.route import Asked
from maruhub.gateway.service.service import HANDLERS, SINKS
from maruhub.gateway.service.translation import CODES, failure_of, refusal_of

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.MaruError) and kind.__module__ == errors.__name__
]
# Answered before any right is looked at: by the rules of CORS, and by what stands in the form.
ELSEWHERE = {Operation.PREFLIGHT, Operation.POST_OBJECT}


def test_every_operation_that_is_done_has_one_function():
    done = {operation for operation in Operation if operation.support is Support.DONE}
    assert HANDLERS.keys() | SINKS.keys() | ELSEWHERE == done
    assert not HANDLERS.keys() & SINKS.keys()
    assert HANDLERS.keys() >= READS


def test_every_kind_of_error_has_a_code():
    assert len(KINDS) > 20
    for kind in KINDS:
        failure = failure_of(kind("it went wrong."))
        assert failure.code in STATUSES, kind
        unforeseen = not any(ancestor in CODES for ancestor in kind.__mro__)
        assert unforeseen is (kind is errors.MaruError), kind


def test_only_what_is_broken_here_is_an_internal_error():
    internal = {kind for kind in KINDS if failure_of(kind("it went wrong.")).status == 500}
    assert internal == {errors.MaruError, errors.Corrupt}


def test_what_passes_may_be_tried_again():
    for kind in (errors.Unavailable, errors.NoSpace, errors.BladeLost, errors.ReadOnly, errors.Busy):
        assert failure_of(kind("not now.")).status == 503, kind


def test_a_refusal_of_s3_stays_what_it_is_and_hints_stay_here():
    refusal = S3Failure("NoSuchTagSet")
    assert failure_of(refusal) is refusal
    told = failure_of(errors.NoSpace("no room.", hint="Run `maru blade add /secret/place`."))
    assert told.message == "No room."


def test_where_things_lie_on_this_machine_is_not_told():
    told = failure_of(errors.NoSpace("no room: only the reserve is left (/mnt/a/maru)."))
    assert told.message == "No room: only the reserve is left (…)."
    told = failure_of(errors.Corrupt("The index at /srv/hub/index is damaged."))
    assert told.message == "The index at … is damaged."
    assert failure_of(errors.NoSuchKey("'/a/b' is not there.")).message == "'/a/b' is not there."


def asked(operation: Operation) -> Asked:
    return Asked(operation, "photos", "a", {"versionId": "1f", "uploadId": "2f"}, {})


def test_what_is_missing_is_named_in_an_element_of_its_own():
    named = {
        kind: refusal_of(kind("maru://photos/a is not there."), asked(Operation.GET_OBJECT)).fields
        for kind in (errors.NoSuchBucket, errors.BucketNotEmpty, errors.NoSuchVersion, errors.NoSuchUpload)
    }
    assert named == {
        errors.NoSuchBucket: {"BucketName": "photos"},
        errors.BucketNotEmpty: {"BucketName": "photos"},
        errors.NoSuchVersion: {"Key": "a", "VersionId": "1f"},
        errors.NoSuchUpload: {"UploadId": "2f"},
    }
    # It may be the source of the copy that isn't there.
    assert refusal_of(errors.NoSuchBucket("x."), asked(Operation.COPY_OBJECT)).fields == {}


def test_an_address_stays_as_it_is_at_the_beginning_of_a_sentence():
    assert failure_of(errors.NoSuchVersion("maru://photos/a has no version 1f.")).message[:7] == "maru://"
