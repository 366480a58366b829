"""Nouns, states and their tables, Reason, settings: pure data, no I/O, no clock, no randomness."""
