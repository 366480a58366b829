"""Snapshot → Plan in five steps, and the forecast of expected starts: pure, synchronous, total.

Nothing here reads a clock, draws a random number, logs or does I/O; time is ``snapshot.now``.
"""
