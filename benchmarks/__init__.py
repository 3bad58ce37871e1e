"""How fast the trainer is, beside others on the same machine. Run by hand; see RESULTS.md for what came out."""
