"""What this server did: durations, errors and sizes of its own calls."""
