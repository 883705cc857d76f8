"""Labels that come later: read, typed, and joined to samples as new columns.

A ``file`` is a table of any kind, its text made ``typed_column``s; ``merge`` lays it over what a label set held,
and ``joining`` makes that the next version. A ``revision`` is a state of a label set, as a list shows it.

May use: the catalog's ``manifests``, ``line`` and ``commit``; pyarrow inside functions. Never happens here:
a byte of a sample read, a label kept that no sample has.
"""
