"""The revisions. A new one: `rNNNN_what.py`, with `revision` NNNN and the one before it."""
