"""How fast the trainer is, beside others on the same machine.

Run by hand; RESULTS.md and others hold the results.
"""
