"""``fly-gha-status``: one module per verb."""
