"""GitHubSim: the part of GitHub that a runner fleet meets, as a stateful world with a thin HTTP face."""
