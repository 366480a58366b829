"""Fly's Machines API in Fly's own words: typed client, errors, OIDC verification. Nothing of ours."""
