"""What a filter of strangers may hold, and what it takes: known before any of it runs.

Why: whoever may read one version may send a server any filter, and DuckDB's own limit of memory
does not count what scalar functions make of each row: ``repeat(id, 1000000000)`` ends a worker.
So text that came over HTTP is read to its tree, which DuckDB makes without running it; the tree
may hold what :mod:`words` names and nothing else; and what it makes of one row is summed from the
widest values of the columns, so that the filter is given so few rows at a time that it keeps its
bounds. What is not known to be bounded is refused: a list of what is bad would have to know what
the next DuckDB brings.

Measured, and weighed against other ways: ``docs/decisions/018-filters-over-http-are-read-before-they-run.md``.

May use: ``errors``; pyarrow. A connection to DuckDB is handed in. Never happens here: a limit
that depends on who asks.
"""
