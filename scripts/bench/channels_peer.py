"""A peer of the channels benchmark on Python: channels_redis as it is installed.

Not for people; channels.ts starts it. channels-peer.ts says what it does.

    /usr/bin/python3 channels_peer.py redis://127.0.0.1:6379 PREFIX
"""

import asyncio
import json
import sys
import time

from channels_redis.core import RedisChannelLayer

CAPACITY = 1_000_000  # as in channels-peer.ts
MESSAGE = {"type": "bench.message", "text": "x" * 73}


def monotonic_ms():
    return time.monotonic_ns() / 1e6


def ready():
    print("ready", flush=True)


async def send(layer, task):
    count, begun = task["count"], 0
    since = monotonic_ms()

    async def one():
        nonlocal begun
        while begun < count:
            begun += 1
            await layer.send(task["channel"], MESSAGE)

    await asyncio.gather(*(one() for _ in range(task["inFlight"])))
    return {"from": since, "until": monotonic_ms(), "count": begun}


async def receive(layer, task):
    in_flight = task.get("inFlight", 1)
    share = task["count"] // len(task["channels"]) // in_flight

    async def take_share(channel):
        for _ in range(share):
            await layer.receive(channel)

    since = monotonic_ms()
    taking = asyncio.gather(*(take_share(channel) for channel in task["channels"] for _ in range(in_flight)))
    await asyncio.sleep(0)  # so that they wait
    ready()
    await taking
    return {"from": since, "until": monotonic_ms(), "count": share * len(task["channels"]) * in_flight}


async def ping(layer, task):
    times = []
    for _ in range(task["rounds"]):
        since = monotonic_ms()
        await layer.send(task["ping"], MESSAGE)
        await layer.receive(task["pong"])
        times.append(monotonic_ms() - since)
    return {"times": times}


async def echo(layer, task):
    ready()
    for _ in range(task["rounds"]):
        await layer.receive(task["ping"])
        await layer.send(task["pong"], MESSAGE)
    return {}


async def attend(layer, task):
    channels = []
    for _ in range(task["members"]):
        channel = await layer.new_channel()
        await layer.group_add(task["group"], channel)
        channels.append(channel)
    return await receive(layer, {"channels": channels, "count": task["members"] * task["count"]})


async def group_send(layer, task):
    since = monotonic_ms()
    for _ in range(task["count"]):
        await layer.group_send(task["group"], MESSAGE)
    return {"from": since, "until": monotonic_ms(), "count": task["count"]}


TASKS = {"send": send, "receive": receive, "ping": ping, "echo": echo, "attend": attend, "groupSend": group_send}


async def main(url, prefix):
    layer = RedisChannelLayer(hosts=[url], prefix=prefix, capacity=CAPACITY)
    stdin = asyncio.StreamReader(limit=2**20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    print("open", flush=True)
    while line := await stdin.readline():
        task = json.loads(line)
        print(json.dumps(await TASKS[task["do"]](layer, task)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
