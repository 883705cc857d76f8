"""Doors over HTTP: S3, and the batch door.

``s3`` and ``batch`` hold the protocols: bytes to values to bytes, no I/O, so that they are
tested without sockets. What lies beside them binds the protocols to a hub and to a server.

May use: everything below the doors. Never happens here: a row decoded, a segment opened.
"""
