"""fly-gha-status, the read-only MCP server: imports of ours only runners.wire and runners.upstream."""
