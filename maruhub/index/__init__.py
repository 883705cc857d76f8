"""The index: a plain ordered key-value that knows nothing.

Keys and values are bytes, ordered as bytes; what they mean is the business of the layers
above. The index is a cache of the log (the truth): it is always consistent, may lag behind
by its last commits after a power cut, and can be emptied and rebuilt whole.

It may use ``maruhub.errors`` and its engine's library (LMDB), nothing else of MaruHub.
Only ``store`` uses its writing side. What never happens here: reading a value's content,
deciding about a precondition, touching a blade, raising an engine's own exception to a
caller.
"""
