"""Adapters: the hub as each training framework wants to see it, a file a framework.

Thin: each translates between a framework's contract and the public API (views, batches and
their states, buckets). An adapter is imported by its own name, and imports its framework
then; the extra of that name brings it: ``pip install 'maruhub[torch]'``.

May use: ``api`` and what it hands out, ``loaders``, one framework each. Never here: an order
decided (that is the loaders'), a byte read past a view or a bucket, a framework imported by
another one's adapter, state that is not the loader's own few integers.
"""
