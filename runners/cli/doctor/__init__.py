"""``fly-gha doctor``: facts are gathered once, and judged by pure checks."""
