"""Policies: of buckets, of users, and of form uploads.

May use: codes, operations, locks of objects. Never happens here: a part of a policy passed over. What is
outside the subset that is read is refused.
"""
