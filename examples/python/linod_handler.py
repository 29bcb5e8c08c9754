"""A handler for Python's logging whose records arrive in a site's lino.log, over channels_redis.

    LOGGING = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "linod": {
                "class": "linod_handler.LinodHandler",
                "site": "mysite",
                "hosts": ["redis://localhost:6379"],
            },
        },
        "root": {"handlers": ["linod"], "level": "INFO"},
    }

Logging costs the application a copy into a queue: it never waits for Redis and never raises. A thread sends what is in the
queue. While Redis is away or the log's channel is full, records wait in the queue; when that is full, new ones are dropped,
and their number is logged as soon as there is room. close(), which logging calls when the process ends, sends what is left
for up to close_seconds. A process that is killed loses its queue; the layer itself delivers at most once.
"""

import asyncio
import logging
import os
import queue
import threading
import time

from channels.exceptions import ChannelFull
from channels_redis.core import RedisChannelLayer

# What every record has; whatever else there is was given as `extra`.
STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "taskName"}
FORMATTER = logging.Formatter()


def plain(value, depth=0):
    """The value as plain data, which the layer can carry."""
    if value is None or isinstance(value, (bool, float, str)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if depth < 5 and isinstance(value, dict):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if depth < 5 and isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth + 1) for item in value]
    return str(value)


class LinodHandler(logging.Handler):
    """Sends each record as one `log.record` message to the site's log channel."""

    def __init__(
        self,
        site,
        hosts=("redis://localhost:6379",),
        prefix="asgi",
        level=logging.NOTSET,
        capacity=10_000,
        close_seconds=5,
        layer_options=None,
    ):
        """`capacity` records may wait; `layer_options` are further options of RedisChannelLayer."""
        super().__init__(level)
        self.channel = f"linod_{site}.log"
        self.layer_options = {"hosts": list(hosts), "prefix": prefix, **(layer_options or {})}
        self.capacity = capacity
        self.close_seconds = close_seconds
        self.dropped = 0
        self.sent = 0
        self._start()

    def _start(self):
        self.pid = os.getpid()
        self.queue = queue.Queue(self.capacity)
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self._run, name="linod-log", daemon=True)
        self.thread.start()

    def emit(self, record):
        try:
            # A server that forks its workers forks the queue, and no thread.
            if os.getpid() != self.pid:
                self._start()
            self.queue.put_nowait(self.message(record))
        except queue.Full:
            self.dropped += 1
        except Exception:
            self.handleError(record)

    def message(self, record):
        """The record as plain data."""
        message = {
            "type": "log.record",
            "name": record.name,
            "levelno": record.levelno,
            "message": record.getMessage(),
            "created": record.created,
            "process": record.process,
            "processName": record.processName,
        }
        if record.exc_info:
            message["exc_text"] = FORMATTER.formatException(record.exc_info)
        elif record.exc_text:
            message["exc_text"] = record.exc_text
        if record.stack_info:
            message["stack_info"] = record.stack_info
        fields = {key: plain(value) for key, value in vars(record).items() if key not in STANDARD}
        if fields:
            message["fields"] = fields
        return message

    def close(self):
        if os.getpid() == self.pid:
            self.closing.set()
            self.thread.join(self.close_seconds + 1)
        super().close()

    def _run(self):
        asyncio.run(self._send_all())

    async def _send_all(self):
        layer = RedisChannelLayer(**self.layer_options)
        deadline = None
        while True:
            if self.closing.is_set() and deadline is None:
                deadline = time.monotonic() + self.close_seconds
            try:
                # The loop is this thread's own, and has nothing else to do.
                message = self.queue.get(block=deadline is None, timeout=0.2)
            except queue.Empty:
                if deadline is not None:
                    break
                continue
            if not await self._send(layer, message, deadline):
                break
            if self.dropped and self.queue.qsize() < self.capacity // 2:
                await self._tell_dropped(layer)
        if hasattr(layer, "close_pools"):
            await layer.close_pools()

    async def _send(self, layer, message, deadline):
        """Tries until it is sent. Returns False when the time for that is over."""
        pause = 0.01
        while True:
            try:
                await layer.send(self.channel, message)
                self.sent += 1
                return True
            except ChannelFull:
                pass
            except Exception:
                # Redis is away: whatever it raises, the record is tried again.
                pause = max(pause, 0.1)
            if deadline is None and self.closing.is_set():
                deadline = time.monotonic() + self.close_seconds
            if deadline is not None and time.monotonic() > deadline:
                return False
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1)

    async def _tell_dropped(self, layer):
        count, self.dropped = self.dropped, 0
        record = logging.LogRecord(
            "linod", logging.WARNING, "", 0, "%d records were dropped: the queue was full", (count,), None
        )
        await self._send(layer, self.message(record), time.monotonic() + 1)
