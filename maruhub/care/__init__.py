"""Care: what a person asks of a hub's health, and what keeps it healthy.

May use: ``namespace``, ``store``, ``errors``. Never happens here: a write outside of the
commit turn, a number that wasn't measured or counted, a word that hides a danger.
"""
