"""What client and server of the batch door agree on, pure: frames, signatures.

May use: ``errors``, numpy, xxhash. Never happens here: I/O, a clock read (the caller says what
time it is), a hub, a pool.
"""
