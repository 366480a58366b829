"""The store: tables, queries and migrations on SQLite or PostgreSQL, one transaction per operation.

Every operation is ``def op(conn, …)`` on a synchronous Connection and is run by ``Store.run`` (``engine``).
Operations live in the module of their table; they take the time as an argument and read no clock.
"""
