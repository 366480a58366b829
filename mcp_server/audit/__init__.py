"""The audit log: one hash-chained record per call, durable before its answer leaves."""
