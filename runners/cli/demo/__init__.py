"""``fly-gha demo``: the whole product in real processes, judged by the simulators' logs."""
