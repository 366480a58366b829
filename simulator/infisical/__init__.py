"""InfisicalSim: a small Infisical with logins and lockout, secret versions, hidden values and rate limits."""
