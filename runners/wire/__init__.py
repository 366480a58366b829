"""The public answers as pydantic models: what the dispatcher says, clients read. Imports nothing of ours."""
