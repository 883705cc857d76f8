"""What S3 says when it refuses: its codes, each with a status and a sentence.

The codes are those of S3's public list of error responses, as far as a server without accounts,
billing or a second region can meet them. A code that is not in the table is a bug of ours.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Self

from maruhub.errors import MaruError

_TABLE: dict[int, dict[str, str]] = {
    304: {"NotModified": "The object has not changed."},
    400: {
        "AccessControlListNotSupported": "The bucket does not allow ACLs.",
        "AuthorizationHeaderMalformed": "The authorization header that you provided is not valid.",
        "AuthorizationQueryParametersError": "The authorization query parameters are not valid.",
        "BadDigest": "The checksum that you specified did not match what was received.",
        "BadRequest": "The request could not be understood.",
        "EntityTooLarge": "Your proposed upload exceeds the maximum allowed size.",
        "EntityTooSmall": "Your proposed upload is smaller than the minimum allowed size.",
        "ExpiredToken": "The provided token has expired.",
        "IllegalVersioningConfigurationException": "The versioning configuration is not valid.",
        "IncompleteBody": "You did not provide the number of bytes that the request promised.",
        "IncorrectNumberOfFilesInPostRequest": "A POST requires exactly one file upload per request.",
        "InvalidArgument": "An argument is not valid.",
        "InvalidBucketName": "The specified bucket is not valid.",
        "InvalidDigest": "The checksum that you specified is not valid.",
        "InvalidEncryptionAlgorithmError": "The encryption request that you specified is not valid.",
        "InvalidLocationConstraint": "The specified location constraint is not valid.",
        "InvalidPart": "One or more of the specified parts could not be found.",
        "InvalidPartOrder": "The list of parts was not in ascending order.",
        "InvalidPolicyDocument": "The content of the form does not meet the conditions of the policy.",
        "InvalidRequest": "The request is not valid.",
        "InvalidStorageClass": "The storage class that you specified is not valid.",
        "InvalidTag": "A tag that you provided is not valid.",
        "InvalidTargetBucketForLogging": "The target bucket for logging is not valid.",
        "InvalidToken": "The provided token is malformed or otherwise not valid.",
        "InvalidURI": "The specified URI could not be parsed.",
        "KeyTooLongError": "Your key is too long.",
        "MalformedACLError": "The XML that you provided was not well formed or did not validate.",
        "MalformedPOSTRequest": "The body of your POST request is not well-formed multipart/form-data.",
        "MalformedPolicy": "The policy is not valid.",
        "MalformedXML": "The XML that you provided was not well formed or did not validate.",
        "MalformedTrailerError": "The trailing headers of the request are malformed.",
        "MaxMessageLengthExceeded": "Your request was too large.",
        "MaxPostPreDataLengthExceededError": "The fields of your POST before the file were too large.",
        "MetadataTooLarge": "Your metadata headers exceed the maximum allowed metadata size.",
        "MissingRequestBodyError": "The request needs a body.",
        "MissingSecurityElement": "The request lacks a required security element.",
        "MissingSecurityHeader": "Your request lacks a required header.",
        "NoLoggingStatusForKey": "There is no logging status for a key.",
        "RequestIsNotMultiPartContent": "A POST must be of the enclosure type multipart/form-data.",
        "RequestTimeout": "Your connection was not read from or written to within the timeout period.",
        "TooManyBuckets": "You have attempted to create more buckets than allowed.",
        "UnexpectedContent": "This request does not support content.",
        "UnresolvableGrantByEmailAddress": "The email address that you provided matches no account.",
        "UserKeyMustBeSpecified": "The POST must contain the specified field name.",
        "XAmzContentChecksumMismatch": "The checksum that you specified did not match what was received.",
        "XAmzContentSHA256Mismatch": "The provided x-amz-content-sha256 does not match what was received.",
    },
    403: {
        "AccessDenied": "Access Denied",
        "QuotaExceeded": "The quota of the bucket or of its owner is used up.",
        "InvalidAccessKeyId": "The access key ID that you provided does not exist in our records.",
        "InvalidObjectState": "The operation is not valid for the current state of the object.",
        "RequestTimeTooSkewed": "The difference between the request time and the current time is too large.",
        "SignatureDoesNotMatch": "The request signature that we calculated does not match the signature"
        " that you provided. Check your secret key and signing method.",
    },
    404: {
        "NoSuchBucket": "The specified bucket does not exist.",
        "NoSuchBucketPolicy": "The bucket policy does not exist.",
        "NoSuchCORSConfiguration": "The CORS configuration does not exist.",
        "NoSuchKey": "The specified key does not exist.",
        "NoSuchLifecycleConfiguration": "The lifecycle configuration does not exist.",
        "NoSuchObjectLockConfiguration": "The specified object does not have an object lock configuration.",
        "NoSuchPublicAccessBlockConfiguration": "The public access block configuration was not found.",
        "NoSuchTagSet": "There is no tag set.",
        "NoSuchTagSetError": "There is no tag set.",
        "NoSuchUpload": "The specified multipart upload does not exist. It may have been aborted"
        " or completed.",
        "NoSuchVersion": "The version ID specified in the request does not exist.",
        "NoSuchWebsiteConfiguration": "The bucket has no website configuration.",
        "NoSuchConfiguration": "The specified configuration does not exist.",
        "ObjectLockConfigurationNotFoundError": "The object lock configuration does not exist.",
        "OwnershipControlsNotFoundError": "The bucket ownership controls were not found.",
        "ReplicationConfigurationNotFoundError": "The replication configuration was not found.",
        "ServerSideEncryptionConfigurationNotFoundError": "The encryption configuration was not found.",
    },
    405: {"MethodNotAllowed": "The specified method is not allowed against this resource."},
    409: {
        "BucketAlreadyExists": "The requested bucket name is not available.",
        "BucketAlreadyOwnedByYou": "The bucket that you tried to create exists, and you own it.",
        "BucketNotEmpty": "The bucket that you tried to delete is not empty.",
        "ConditionalRequestConflict": "A conflicting operation occurred. Try again.",
        "InvalidBucketState": "The request is not valid for the current state of the bucket.",
        "OperationAborted": "A conflicting operation is in progress against this resource. Try again.",
        "RestoreAlreadyInProgress": "The object restore is already in progress.",
    },
    411: {"MissingContentLength": "You must provide the Content-Length HTTP header."},
    412: {"PreconditionFailed": "At least one of the preconditions that you specified did not hold."},
    413: {"RequestEntityTooLarge": "The body of the request is larger than this server accepts."},
    416: {
        "InvalidPartNumber": "The requested partnumber is not satisfiable.",
        "InvalidRange": "The requested range is not satisfiable.",
    },
    431: {"RequestHeaderSectionTooLarge": "Your request header section exceeds the maximum allowed size."},
    500: {"InternalError": "An internal error occurred. Try again."},
    501: {
        "NotImplemented": "A header or query that you provided implies functionality that is not implemented."
    },
    503: {
        "ServiceUnavailable": "Service is unable to handle the request. Try again later.",
        "SlowDown": "Please reduce your request rate.",
    },
    507: {"InsufficientStorage": "There is no room for what you sent; reads and deletes go on."},
}

STATUSES = MappingProxyType({code: status for status, codes in _TABLE.items() for code in codes})
"""Every code of S3 that this server may answer, with its HTTP status."""

_MESSAGES = {code: message for codes in _TABLE.values() for code, message in codes.items()}


class S3Failure(MaruError):
    """A request of S3 that is refused, as the client will read it.

    Args:
        code: One of `STATUSES`; another is a bug of ours.
        message: What is wrong with this request; empty for the code's own sentence.
        fields: Further elements of the error document, as S3 names them (``Resource``, ``Key``).
    """

    code = "S3Failure"

    def __init__(self, code: str, message: str = "", **fields: str) -> None:
        assert code in STATUSES, f"S3 knows no code {code!r}"
        super().__init__(message or _MESSAGES[code])
        self.code = code
        self.fields = fields
        self.headers: list[tuple[str, str]] = []

    def answered(self, *headers: tuple[str, str]) -> Self:
        """This failure, with headers that go with its answer."""
        self.headers += headers
        return self

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return STATUSES[self.code]

    @property
    def message(self) -> str:
        """What the client reads."""
        return self.what

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.code, self.what, self.fields))


def _rebuild(code: str, message: str, fields: dict[str, str]) -> S3Failure:
    return S3Failure(code, message, **fields)
