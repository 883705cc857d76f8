"""A version's files, as ``docs/format-manifests.md`` has them: made once, mapped, shared, never changed.

A ``root`` names fragments (``fragment``), each a row range of a ``column_group``; open, they are a
``manifest`` with its ``live_rows``, and a ``sample_index`` where samples are sought by name. A ``draft`` is the
next version in the making, its ``digest`` what it will be known by. What fragments point to (``pointing``) must
live; ``recheck`` looks whether it still does.

May use: ``store``'s extents and rows, ``row`` and ``split`` of the catalog; pyarrow inside functions. Never
happens here: a row of the catalog written, a name of a version looked up.
"""
