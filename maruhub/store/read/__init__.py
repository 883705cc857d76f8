"""The path of a read: where an extent lies, mapped files, sums, another copy.

May use: ``store.format``, blades, the index's reading side. Never happens here: a write.
"""
