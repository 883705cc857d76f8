"""S3 on the wire, pure: what a request asks, whether its signature is right, what an answer says.

May use: ``errors``, ``wire``, ``gateway.head``, ``gateway.need``, the standard library, a hardened XML parser, libraries of
checksums. Never happens here: I/O, a clock read (the caller says what time it is), a hub.
"""
