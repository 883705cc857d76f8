"""The store: bytes and rows that survive. Segments on blades, and the commit turn.

May use: ``index``, the operating system, numpy. Never happens here: a bucket, a key of
an object, a dataset, HTTP. The layers above see ``protocol``; ``format`` is pure.
"""
