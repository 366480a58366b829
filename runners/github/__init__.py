"""GitHub: the REST calls we make, and the reading of what it sends. This loads no client library."""
