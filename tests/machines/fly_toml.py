"""The keys of a fly.toml, closed: what flyctl reads. It takes a key that it does not know for nothing.

From the struct tags of superfly/flyctl, internal/appconfig (config.go, httpservice.go, service.go,
toplevelcheck.go), and the reference of fly.toml in superfly/docs; as far as our files go. A dict is the keys
of a table, a list of one dict an array of tables, None a value.
"""

CHECK = {
    "grace_period": None,
    "interval": None,
    "timeout": None,
    "method": None,
    "path": None,
    "protocol": None,
}
KEYS = {
    "app": None,
    "primary_region": None,
    "kill_signal": None,
    "kill_timeout": None,
    "build": {"dockerfile": None, "ignorefile": None, "build-target": None, "image": None},
    "deploy": {"strategy": None, "wait_timeout": None},
    "files": [{"guest_path": None, "local_path": None}],
    "mounts": [
        {
            "source": None,
            "destination": None,
            "initial_size": None,
            "snapshot_retention": None,
            "auto_extend_size_threshold": None,
            "auto_extend_size_increment": None,
            "auto_extend_size_limit": None,
        }
    ],
    "http_service": {
        "internal_port": None,
        "force_https": None,
        "auto_stop_machines": None,
        "auto_start_machines": None,
        "min_machines_running": None,
        "concurrency": {"type": None, "soft_limit": None, "hard_limit": None},
        "checks": [CHECK],
    },
    "checks": {"*": {**CHECK, "port": None, "type": None}},
    "restart": [{"policy": None, "retries": None}],
    "vm": [{"size": None, "memory": None, "cpus": None, "cpu_kind": None}],
}


def unknown(document, known=KEYS, at=""):
    """The paths of the keys in ``document`` that flyctl would not read, or that are of another shape."""
    if known is None:
        return [at] if isinstance(document, (dict, list)) else []
    if isinstance(known, list):
        if not isinstance(document, list):
            return [at]
        return [path for each in document for path in unknown(each, known[0], f"{at}[]")]
    if not isinstance(document, dict):
        return [at]
    found = []
    for key, value in document.items():
        path = f"{at}.{key}".lstrip(".")
        if key in known or "*" in known:
            found += unknown(value, known.get(key, known.get("*")), path)
        else:
            found.append(path)
    return found
