"""One module per revision: ``rNNNN_what_it_does.py`` with ``def upgrade(op: Operations) -> None``."""
