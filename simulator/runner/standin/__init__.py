"""The stand-in runner's code, standard library only and quick to import: every Machine starts it."""
