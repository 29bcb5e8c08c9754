"""A process that logs as those of Lino do: logging.handlers.SocketHandler, a pickle a record, to a server.

Not for people; log.ts starts it with the server's port. Each line of standard input is a number of records.
"""

import logging
import logging.handlers
import sys

logger = logging.getLogger("shop.orders")
logger.setLevel(logging.INFO)
logger.propagate = False
handler = logging.handlers.SocketHandler("127.0.0.1", int(sys.argv[1]))
handler.createSocket()
logger.addHandler(handler)

print("ready", flush=True)
for line in sys.stdin:
    for i in range(int(line)):
        logger.info("order %d of customer C-17 was paid", i + 1_000_000)
    print("done", flush=True)
