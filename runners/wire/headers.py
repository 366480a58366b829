"""The headers that a client of the dispatcher may send or read, with the bounds of what they take."""

# What a reader asks to see, at most: it narrows its token's limits and never widens them.
REPOSITORIES_HEADER = "x-fly-gha-repositories"
POOLS_HEADER = "x-fly-gha-pools"
NARROWING_ENTRIES_MAX = 200
NARROWING_ENTRY_MAX = 200
# Servers hold all headers of a request to 16 or 64 KiB; a longer list belongs into a token.
NARROWING_CHARACTERS_MAX = 8_192

# Names one exchange, in our answer and in our log; a client may choose it.
REQUEST_ID_HEADER = "x-request-id"
REQUEST_ID_PATTERN = r"[A-Za-z0-9._-]{1,64}"
