"""The command line: ``maru``. A face, thin over the Python door.

May use: ``maruhub.api``, ``errors``, click, rich. Never happens here: a rule about data,
a row, a byte of a segment; an import of a heavy module before the command that needs it
runs. Each group of commands is one file; ``main`` lists them, ``exits`` maps errors to
exit statuses, ``output`` prints.
"""
