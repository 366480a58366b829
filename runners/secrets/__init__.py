"""Where credentials come from: Infisical, the environment or a file, and tokens a publisher keeps fresh."""
