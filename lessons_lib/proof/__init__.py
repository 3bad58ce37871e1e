"""A base model becomes a record of what ran on it here: the whole way, from download to drawing elsewhere.

stages.py        prove: every stage in order, timed; a stage that fails says why
elsewhere.py     the adapter in a new process: bare diffusers, and the code on its card
record.py        the JSON to send in, without paths or names of this machine
table.py         the table of what was run, for README
"""
