"""A Machine's main process that does nothing: the benchmark measures the dispatcher, not the boots."""

import time

time.sleep(120)
