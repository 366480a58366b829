"""Fly's Machines API in Fly's own words: a typed client, its errors, and OIDC verification."""
