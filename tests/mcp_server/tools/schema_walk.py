"""An answer beside its schema: every leaf with what the schema says of it."""


def leaves(schema, value, root=None, path=""):
    """(path, value, schema of the leaf) of every text, number and key in ``value``."""
    root = root or schema
    while "$ref" in schema:
        schema = {**root["$defs"][schema["$ref"].rpartition("/")[2]], **_without(schema, "$ref")}
    if isinstance(value, dict):
        for key, each in value.items():
            known = schema.get("properties", {}).get(key)
            if known is None:
                yield f"{path}.<key>", key, {}
                known = schema.get("additionalProperties")
                assert isinstance(known, dict), f"{path}.{key} is not in the schema"
            yield from leaves(known, each, root, f"{path}.{key}")
    elif isinstance(value, list):
        for each in value:
            yield from leaves(schema.get("items", {}), each, root, f"{path}[]")
    else:
        yield path, value, schema


def _without(schema, key):
    return {name: value for name, value in schema.items() if name != key}
