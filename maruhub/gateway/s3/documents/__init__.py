"""XML: what clients send, and what they are answered.

May use: what requests and objects say of themselves. Never happens here: a document read but by the
hardened parser, or beyond its bounds.
"""
