"""What operations of S3 do to a hub: one function an operation, synchronous, without HTTP.

May use: ``gateway.s3`` (what is asked, what an answer says), ``api``, ``namespace``. Safe from
many threads. Never happens here: a socket, an event loop, parsing of a header that ``gateway.s3``
can parse.
"""
