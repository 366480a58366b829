"""FlySim, GitHubSim, InfisicalSim: small stateful worlds with fault switches, judged by their own journal."""
