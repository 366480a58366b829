"""``fly-gha init``: a first fleet.toml, a canary workflow, and the list of permissions."""
