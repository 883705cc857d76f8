"""Calls: what a client needs beside reading and writing, each a function of a hub, its arguments and rights.

``table`` names them all, with the file of its kind that does it; ``claims`` are checked before they are
unfolded.

May use: what is ``opened``, a request's parts. Never happens here: a stream, an argument that nobody asked for.
"""
