"""Mint, seal, claim: the hand-off of one registration to one booted Machine, once."""
