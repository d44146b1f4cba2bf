"""Questions an auditor asks of an isolated site, and their answers (docs/audit.md).

One file per question, one row each in ``questions``. They read what the site holds and
what it was told, change nothing, and never reach a network. What is not known, or known
too long ago, is ``unknown`` with a reason, never ``pass``.
"""
