"""``python -m runners.cli`` is ``fly-gha``."""

from runners.cli.main import app

app()
