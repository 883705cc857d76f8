"""Every operation of S3's REST API: what chooses it, which right it needs, and what we do with it.

This file knows no request and no hub. It is one table; ``route`` reads the first half of a row,
``permission`` and ``docs/reference/s3.md`` the second. Methods that S3 keeps beside their newer
form for the same address (``GetBucketLifecycle``, ``PutBucketNotification``, …) are that form.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Place(Enum):
    """What an operation acts on."""

    # Members are told apart by what they are; Enum's own hash is a function of Python's, five a request.
    __hash__ = object.__hash__

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


class Support(Enum):
    """What we do with an operation: do it, refuse it as NotImplemented, or always say the same."""

    DONE = "done"
    REFUSED = "refused"
    FIXED = "fixed"


class Operation(Enum):
    """One operation of S3. A row: name, method, place, chosen by, right, support; ``-`` is none.

    Attributes:
        api_name: As AWS's API reference calls it.
        method: The method of HTTP.
        place: What the address names.
        chosen_by: The sub-resource in the query; after ``&``, or alone for a copy, what beside it
            makes the difference. Empty where neither is.
        action: The right it needs, in the policy language's words; see ``permission`` for more.
        support: What we do with it.
    """

    __hash__ = object.__hash__

    def __init__(self, row: str) -> None:
        api_name, method, place, chosen_by, action, support = row.split()
        self.api_name = api_name
        self.method = method
        self.place = Place(place)
        self.chosen_by = "" if chosen_by == "-" else chosen_by
        self.action = "" if action == "-" else action
        self.support = Support(support)

    LIST_BUCKETS = "ListBuckets GET service - s3:ListAllMyBuckets done"
    LIST_DIRECTORY_BUCKETS = (
        "ListDirectoryBuckets GET service max-directory-buckets s3express:ListAllMyDirectoryBuckets refused"
    )
    WRITE_GET_OBJECT_RESPONSE = (
        "WriteGetObjectResponse POST service - s3-object-lambda:WriteGetObjectResponse refused"
    )
    CREATE_BUCKET = "CreateBucket PUT bucket - s3:CreateBucket done"
    DELETE_BUCKET = "DeleteBucket DELETE bucket - s3:DeleteBucket done"
    HEAD_BUCKET = "HeadBucket HEAD bucket - s3:ListBucket done"
    LIST_OBJECTS = "ListObjects GET bucket - s3:ListBucket done"
    LIST_OBJECTS_V2 = "ListObjectsV2 GET bucket list-type s3:ListBucket done"
    LIST_OBJECT_VERSIONS = "ListObjectVersions GET bucket versions s3:ListBucketVersions done"
    LIST_MULTIPART_UPLOADS = "ListMultipartUploads GET bucket uploads s3:ListBucketMultipartUploads done"
    DELETE_OBJECTS = "DeleteObjects POST bucket delete s3:DeleteObject done"
    POST_OBJECT = "PostObject POST bucket - s3:PutObject done"
    GET_BUCKET_LOCATION = "GetBucketLocation GET bucket location s3:GetBucketLocation done"
    GET_BUCKET_VERSIONING = "GetBucketVersioning GET bucket versioning s3:GetBucketVersioning done"
    PUT_BUCKET_VERSIONING = "PutBucketVersioning PUT bucket versioning s3:PutBucketVersioning done"
    GET_BUCKET_TAGGING = "GetBucketTagging GET bucket tagging s3:GetBucketTagging done"
    PUT_BUCKET_TAGGING = "PutBucketTagging PUT bucket tagging s3:PutBucketTagging done"
    DELETE_BUCKET_TAGGING = "DeleteBucketTagging DELETE bucket tagging s3:PutBucketTagging done"
    GET_BUCKET_POLICY = "GetBucketPolicy GET bucket policy s3:GetBucketPolicy done"
    PUT_BUCKET_POLICY = "PutBucketPolicy PUT bucket policy s3:PutBucketPolicy done"
    DELETE_BUCKET_POLICY = "DeleteBucketPolicy DELETE bucket policy s3:DeleteBucketPolicy done"
    GET_BUCKET_POLICY_STATUS = "GetBucketPolicyStatus GET bucket policyStatus s3:GetBucketPolicyStatus done"
    GET_BUCKET_CORS = "GetBucketCors GET bucket cors s3:GetBucketCORS done"
    PUT_BUCKET_CORS = "PutBucketCors PUT bucket cors s3:PutBucketCORS done"
    DELETE_BUCKET_CORS = "DeleteBucketCors DELETE bucket cors s3:PutBucketCORS done"
    GET_BUCKET_LIFECYCLE_CONFIGURATION = (
        "GetBucketLifecycleConfiguration GET bucket lifecycle s3:GetLifecycleConfiguration done"
    )
    PUT_BUCKET_LIFECYCLE_CONFIGURATION = (
        "PutBucketLifecycleConfiguration PUT bucket lifecycle s3:PutLifecycleConfiguration done"
    )
    DELETE_BUCKET_LIFECYCLE = (
        "DeleteBucketLifecycle DELETE bucket lifecycle s3:PutLifecycleConfiguration done"
    )
    GET_OBJECT_LOCK_CONFIGURATION = (
        "GetObjectLockConfiguration GET bucket object-lock s3:GetBucketObjectLockConfiguration done"
    )
    PUT_OBJECT_LOCK_CONFIGURATION = (
        "PutObjectLockConfiguration PUT bucket object-lock s3:PutBucketObjectLockConfiguration done"
    )
    GET_PUBLIC_ACCESS_BLOCK = (
        "GetPublicAccessBlock GET bucket publicAccessBlock s3:GetBucketPublicAccessBlock done"
    )
    PUT_PUBLIC_ACCESS_BLOCK = (
        "PutPublicAccessBlock PUT bucket publicAccessBlock s3:PutBucketPublicAccessBlock done"
    )
    DELETE_PUBLIC_ACCESS_BLOCK = (
        "DeletePublicAccessBlock DELETE bucket publicAccessBlock s3:PutBucketPublicAccessBlock done"
    )
    GET_BUCKET_ACL = "GetBucketAcl GET bucket acl s3:GetBucketAcl done"
    PUT_BUCKET_ACL = "PutBucketAcl PUT bucket acl s3:PutBucketAcl done"
    GET_BUCKET_OWNERSHIP_CONTROLS = (
        "GetBucketOwnershipControls GET bucket ownershipControls s3:GetBucketOwnershipControls fixed"
    )
    PUT_BUCKET_OWNERSHIP_CONTROLS = (
        "PutBucketOwnershipControls PUT bucket ownershipControls s3:PutBucketOwnershipControls fixed"
    )
    DELETE_BUCKET_OWNERSHIP_CONTROLS = (
        "DeleteBucketOwnershipControls DELETE bucket ownershipControls s3:PutBucketOwnershipControls refused"
    )
    GET_BUCKET_NOTIFICATION_CONFIGURATION = (
        "GetBucketNotificationConfiguration GET bucket notification s3:GetBucketNotification fixed"
    )
    PUT_BUCKET_NOTIFICATION_CONFIGURATION = (
        "PutBucketNotificationConfiguration PUT bucket notification s3:PutBucketNotification fixed"
    )
    GET_BUCKET_ENCRYPTION = "GetBucketEncryption GET bucket encryption s3:GetEncryptionConfiguration fixed"
    PUT_BUCKET_ENCRYPTION = "PutBucketEncryption PUT bucket encryption s3:PutEncryptionConfiguration refused"
    DELETE_BUCKET_ENCRYPTION = (
        "DeleteBucketEncryption DELETE bucket encryption s3:PutEncryptionConfiguration fixed"
    )
    GET_BUCKET_WEBSITE = "GetBucketWebsite GET bucket website s3:GetBucketWebsite fixed"
    PUT_BUCKET_WEBSITE = "PutBucketWebsite PUT bucket website s3:PutBucketWebsite refused"
    DELETE_BUCKET_WEBSITE = "DeleteBucketWebsite DELETE bucket website s3:DeleteBucketWebsite fixed"
    GET_BUCKET_LOGGING = "GetBucketLogging GET bucket logging s3:GetBucketLogging fixed"
    PUT_BUCKET_LOGGING = "PutBucketLogging PUT bucket logging s3:PutBucketLogging fixed"
    GET_BUCKET_ACCELERATE_CONFIGURATION = (
        "GetBucketAccelerateConfiguration GET bucket accelerate s3:GetAccelerateConfiguration fixed"
    )
    PUT_BUCKET_ACCELERATE_CONFIGURATION = (
        "PutBucketAccelerateConfiguration PUT bucket accelerate s3:PutAccelerateConfiguration fixed"
    )
    GET_BUCKET_REQUEST_PAYMENT = (
        "GetBucketRequestPayment GET bucket requestPayment s3:GetBucketRequestPayment fixed"
    )
    PUT_BUCKET_REQUEST_PAYMENT = (
        "PutBucketRequestPayment PUT bucket requestPayment s3:PutBucketRequestPayment fixed"
    )
    GET_BUCKET_REPLICATION = (
        "GetBucketReplication GET bucket replication s3:GetReplicationConfiguration fixed"
    )
    PUT_BUCKET_REPLICATION = (
        "PutBucketReplication PUT bucket replication s3:PutReplicationConfiguration refused"
    )
    DELETE_BUCKET_REPLICATION = (
        "DeleteBucketReplication DELETE bucket replication s3:PutReplicationConfiguration fixed"
    )
    GET_BUCKET_ABAC = "GetBucketAbac GET bucket abac s3:GetBucketAbac refused"
    PUT_BUCKET_ABAC = "PutBucketAbac PUT bucket abac s3:PutBucketAbac refused"
    LIST_BUCKET_ANALYTICS_CONFIGURATIONS = (
        "ListBucketAnalyticsConfigurations GET bucket analytics s3:GetAnalyticsConfiguration fixed"
    )
    GET_BUCKET_ANALYTICS_CONFIGURATION = (
        "GetBucketAnalyticsConfiguration GET bucket analytics&id s3:GetAnalyticsConfiguration fixed"
    )
    PUT_BUCKET_ANALYTICS_CONFIGURATION = (
        "PutBucketAnalyticsConfiguration PUT bucket analytics s3:PutAnalyticsConfiguration refused"
    )
    DELETE_BUCKET_ANALYTICS_CONFIGURATION = (
        "DeleteBucketAnalyticsConfiguration DELETE bucket analytics s3:PutAnalyticsConfiguration fixed"
    )
    LIST_BUCKET_INVENTORY_CONFIGURATIONS = (
        "ListBucketInventoryConfigurations GET bucket inventory s3:GetInventoryConfiguration fixed"
    )
    GET_BUCKET_INVENTORY_CONFIGURATION = (
        "GetBucketInventoryConfiguration GET bucket inventory&id s3:GetInventoryConfiguration fixed"
    )
    PUT_BUCKET_INVENTORY_CONFIGURATION = (
        "PutBucketInventoryConfiguration PUT bucket inventory s3:PutInventoryConfiguration refused"
    )
    DELETE_BUCKET_INVENTORY_CONFIGURATION = (
        "DeleteBucketInventoryConfiguration DELETE bucket inventory s3:PutInventoryConfiguration fixed"
    )
    LIST_BUCKET_METRICS_CONFIGURATIONS = (
        "ListBucketMetricsConfigurations GET bucket metrics s3:GetMetricsConfiguration fixed"
    )
    GET_BUCKET_METRICS_CONFIGURATION = (
        "GetBucketMetricsConfiguration GET bucket metrics&id s3:GetMetricsConfiguration fixed"
    )
    PUT_BUCKET_METRICS_CONFIGURATION = (
        "PutBucketMetricsConfiguration PUT bucket metrics s3:PutMetricsConfiguration refused"
    )
    DELETE_BUCKET_METRICS_CONFIGURATION = (
        "DeleteBucketMetricsConfiguration DELETE bucket metrics s3:PutMetricsConfiguration fixed"
    )
    LIST_BUCKET_INTELLIGENT_TIERING_CONFIGURATIONS = "ListBucketIntelligentTieringConfigurations GET bucket intelligent-tiering s3:GetIntelligentTieringConfiguration fixed"
    GET_BUCKET_INTELLIGENT_TIERING_CONFIGURATION = "GetBucketIntelligentTieringConfiguration GET bucket intelligent-tiering&id s3:GetIntelligentTieringConfiguration fixed"
    PUT_BUCKET_INTELLIGENT_TIERING_CONFIGURATION = "PutBucketIntelligentTieringConfiguration PUT bucket intelligent-tiering s3:PutIntelligentTieringConfiguration refused"
    DELETE_BUCKET_INTELLIGENT_TIERING_CONFIGURATION = "DeleteBucketIntelligentTieringConfiguration DELETE bucket intelligent-tiering s3:PutIntelligentTieringConfiguration fixed"
    CREATE_SESSION = "CreateSession GET bucket session s3express:CreateSession refused"
    CREATE_BUCKET_METADATA_CONFIGURATION = "CreateBucketMetadataConfiguration POST bucket metadataConfiguration s3:CreateBucketMetadataTableConfiguration refused"
    GET_BUCKET_METADATA_CONFIGURATION = "GetBucketMetadataConfiguration GET bucket metadataConfiguration s3:GetBucketMetadataTableConfiguration refused"
    DELETE_BUCKET_METADATA_CONFIGURATION = "DeleteBucketMetadataConfiguration DELETE bucket metadataConfiguration s3:DeleteBucketMetadataTableConfiguration refused"
    CREATE_BUCKET_METADATA_TABLE_CONFIGURATION = "CreateBucketMetadataTableConfiguration POST bucket metadataTable s3:CreateBucketMetadataTableConfiguration refused"
    GET_BUCKET_METADATA_TABLE_CONFIGURATION = "GetBucketMetadataTableConfiguration GET bucket metadataTable s3:GetBucketMetadataTableConfiguration refused"
    DELETE_BUCKET_METADATA_TABLE_CONFIGURATION = "DeleteBucketMetadataTableConfiguration DELETE bucket metadataTable s3:DeleteBucketMetadataTableConfiguration refused"
    UPDATE_BUCKET_METADATA_INVENTORY_TABLE_CONFIGURATION = "UpdateBucketMetadataInventoryTableConfiguration PUT bucket metadataInventoryTable s3:UpdateBucketMetadataInventoryTableConfiguration refused"
    UPDATE_BUCKET_METADATA_JOURNAL_TABLE_CONFIGURATION = "UpdateBucketMetadataJournalTableConfiguration PUT bucket metadataJournalTable s3:UpdateBucketMetadataJournalTableConfiguration refused"
    UPDATE_BUCKET_METADATA_ANNOTATION_TABLE_CONFIGURATION = "UpdateBucketMetadataAnnotationTableConfiguration PUT bucket metadataAnnotationTable s3:UpdateBucketMetadataAnnotationTableConfiguration refused"
    GET_OBJECT = "GetObject GET object - s3:GetObject done"
    HEAD_OBJECT = "HeadObject HEAD object - s3:GetObject done"
    PUT_OBJECT = "PutObject PUT object - s3:PutObject done"
    COPY_OBJECT = "CopyObject PUT object x-amz-copy-source s3:PutObject done"
    DELETE_OBJECT = "DeleteObject DELETE object - s3:DeleteObject done"
    GET_OBJECT_ATTRIBUTES = "GetObjectAttributes GET object attributes s3:GetObjectAttributes done"
    GET_OBJECT_TAGGING = "GetObjectTagging GET object tagging s3:GetObjectTagging done"
    PUT_OBJECT_TAGGING = "PutObjectTagging PUT object tagging s3:PutObjectTagging done"
    DELETE_OBJECT_TAGGING = "DeleteObjectTagging DELETE object tagging s3:DeleteObjectTagging done"
    GET_OBJECT_ACL = "GetObjectAcl GET object acl s3:GetObjectAcl done"
    PUT_OBJECT_ACL = "PutObjectAcl PUT object acl s3:PutObjectAcl done"
    GET_OBJECT_RETENTION = "GetObjectRetention GET object retention s3:GetObjectRetention done"
    PUT_OBJECT_RETENTION = "PutObjectRetention PUT object retention s3:PutObjectRetention done"
    GET_OBJECT_LEGAL_HOLD = "GetObjectLegalHold GET object legal-hold s3:GetObjectLegalHold done"
    PUT_OBJECT_LEGAL_HOLD = "PutObjectLegalHold PUT object legal-hold s3:PutObjectLegalHold done"
    CREATE_MULTIPART_UPLOAD = "CreateMultipartUpload POST object uploads s3:PutObject done"
    UPLOAD_PART = "UploadPart PUT object uploadId s3:PutObject done"
    UPLOAD_PART_COPY = "UploadPartCopy PUT object uploadId&x-amz-copy-source s3:PutObject done"
    LIST_PARTS = "ListParts GET object uploadId s3:ListMultipartUploadParts done"
    COMPLETE_MULTIPART_UPLOAD = "CompleteMultipartUpload POST object uploadId s3:PutObject done"
    ABORT_MULTIPART_UPLOAD = "AbortMultipartUpload DELETE object uploadId s3:AbortMultipartUpload done"
    GET_OBJECT_TORRENT = "GetObjectTorrent GET object torrent s3:GetObjectTorrent refused"
    RESTORE_OBJECT = "RestoreObject POST object restore s3:RestoreObject refused"
    SELECT_OBJECT_CONTENT = "SelectObjectContent POST object select s3:GetObject refused"
    RENAME_OBJECT = "RenameObject PUT object renameObject s3express:RenameObject refused"
    UPDATE_OBJECT_ENCRYPTION = (
        "UpdateObjectEncryption PUT object encryption s3:UpdateObjectEncryption refused"
    )
    GET_OBJECT_ANNOTATION = (
        "GetObjectAnnotation GET object annotation&annotationName s3:GetObjectAnnotation refused"
    )
    LIST_OBJECT_ANNOTATIONS = "ListObjectAnnotations GET object annotation s3:ListObjectAnnotations refused"
    PUT_OBJECT_ANNOTATION = "PutObjectAnnotation PUT object annotation s3:PutObjectAnnotation refused"
    DELETE_OBJECT_ANNOTATION = (
        "DeleteObjectAnnotation DELETE object annotation s3:DeleteObjectAnnotation refused"
    )
    # A browser's question before a request from another site. It acts on what its address names.
    PREFLIGHT = "OPTIONS OPTIONS bucket - - done"


READS = frozenset({Operation.GET_OBJECT, Operation.HEAD_OBJECT})
"""Those that give an object's bytes, or say what they would."""

CONDITIONAL_WRITES = frozenset(
    {
        Operation.PUT_OBJECT,
        Operation.COPY_OBJECT,
        Operation.COMPLETE_MULTIPART_UPLOAD,
        Operation.DELETE_OBJECT,
    }
)
"""Those that can be made to depend on what a key holds."""

LONG_WRITES = frozenset(
    {Operation.COPY_OBJECT, Operation.UPLOAD_PART_COPY, Operation.COMPLETE_MULTIPART_UPLOAD}
)
"""Those that may read all of an object before they answer. Clients of S3 know that the document with which
it answers these may come late, and be an error's though the status is 200."""

# To look a member up by its class takes six times as long as a name of a module does, and each
# request asks about these.
HEAD: Final = Operation.HEAD_OBJECT
FORM: Final = Operation.POST_OBJECT
PREFLIGHT: Final = Operation.PREFLIGHT
REFUSED: Final = Support.REFUSED
FIXED: Final = Support.FIXED
