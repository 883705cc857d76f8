"""What requests read from, opened once and kept for the next request.

``sources`` are views, ``courses`` what an epoch takes from them and in which order. Both may take seconds
to find, so that there are ``turns`` at it.

May use: ``catalog``, ``loaders``, a request's parts. Never happens here: a view for someone who may not read
it, whoever had it opened before.
"""
