"""What every client of an upstream shares: the clock, one deadline, the breaker and the error classes."""
