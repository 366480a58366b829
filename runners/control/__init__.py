"""Observe, apply, and one file per loop: the only place where decisions become effects."""
