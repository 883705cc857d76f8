"""The namespace: buckets, keys, versions of objects, users, and the one rule from keys to paths.

May use: ``store`` (its protocol only), ``errors``, the standard library. It defines rows
and pure changes; the store's commit turn decides the order of writing.

Never happens here: HTTP, a dataset, a file of the pool opened, a byte freed. One file is: the
vault's, which secrets of access keys are encrypted under, and which no pool holds. The rows are
laid out in ``docs/format-names.md``, the rules of names in ``docs/reference/names.md``.
"""

from __future__ import annotations

from maruhub.namespace.bucket import Bucket
from maruhub.namespace.namespace import Namespace
from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.put import PutItem

__all__ = ["Bucket", "Namespace", "ObjectInfo", "PutItem"]
