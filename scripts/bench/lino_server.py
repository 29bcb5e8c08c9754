"""A log server as Lino has it: an asyncio stream server that unpickles each record and writes it into one file.

Not for people; log.ts starts it with the port and the file.
Source: lino, lino/modlib/linod/utils.py and lino/management/commands/linod.py: start_log_server, LogReceiver.
"""

import asyncio
import logging
import pickle
import struct
import sys

port, path = int(sys.argv[1]), sys.argv[2]
logger = logging.getLogger("lino")
logger.setLevel(logging.INFO)
logger.propagate = False
file_handler = logging.FileHandler(path)
file_handler.setFormatter(
    logging.Formatter(
        "%(asctime)s %(levelname)s [%(module)s %(process)d %(thread)d] : %(message)s", "%Y%m-%d %H:%M:%S"
    )
)
logger.addHandler(file_handler)


async def serve(reader, writer):
    try:
        while True:
            (length,) = struct.unpack(">L", await reader.readexactly(4))
            record = logging.makeLogRecord(pickle.loads(await reader.readexactly(length)))
            logger.handle(record)
    except asyncio.IncompleteReadError:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
