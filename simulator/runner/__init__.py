"""A stand-in for the folder of the real actions/runner: same commands, same environment, same exit codes.

The real one needs .NET and GitHub's broker. This folder is copied into each simulated Machine and run there
as programs (`config.sh`, `run.sh`, `bin/Runner.Listener`), standard library only; nothing imports it.
"""
