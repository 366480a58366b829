"""The fleet view in memory, and every question to the dispatcher."""
