"""The status page: the fleet as people see it, rendered here, kept current by the status stream."""
