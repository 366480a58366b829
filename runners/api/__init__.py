"""The dispatcher's HTTP surface: webhooks, the read API, its streams, metrics and health."""
