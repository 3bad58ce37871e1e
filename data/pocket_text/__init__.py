"""pocket-text, a language model of under 2 MB that answers questions about houses; writes its weights."""
