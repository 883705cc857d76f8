"""What stands on the drives and in the index: bytes in, values out (``docs/format.md``).

May use: ``errors``, numpy, ``struct``, sums. Never happens here: a file, a thread, a
clock, a look at the index.
"""
