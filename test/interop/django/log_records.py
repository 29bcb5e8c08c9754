"""A Django process that logs with examples/python/linod_handler.py as its settings say.

    log_records.py COUNT

Logs `record 1` … `record COUNT`, then for each line on its standard input `told LINE`, and answers `logged`. At the end of its
input it logs an error with fields, and ends.
"""

import logging
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../examples/python"))
os.environ["DJANGO_SETTINGS_MODULE"] = "workers.settings"

import django  # noqa: E402

django.setup()
logger = logging.getLogger("shop.orders")
for i in range(int(sys.argv[1])):
    logger.info("record %d", i + 1)
print("logged", flush=True)
for line in sys.stdin:
    logger.warning("told %s", line.strip())
    print("logged", flush=True)
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("could not pay", extra={"order": 17, "customer": object, "tags": ("a", {"b": 2})})
