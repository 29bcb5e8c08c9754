"""A peer of the benchmark on Python: channels_redis as it is installed.

Does what it is told on stdin, one task a line, as peer.ts does; tasks.ts has
the tasks and their reports. Ends with its stdin.

    /usr/bin/python3 peer.py core|pubsub redis://127.0.0.1:6379 PREFIX
"""

import asyncio
import json
import sys
import time

CAPACITY = 1_000_000  # transport.ts
OVERHEAD_BYTES = 27  # messages.ts


def open_layer(kind, url, prefix):
    if kind == "core":
        from channels_redis.core import RedisChannelLayer

        return RedisChannelLayer(hosts=[url], prefix=prefix, capacity=CAPACITY)
    from channels_redis.pubsub import RedisPubSubChannelLayer

    return RedisPubSubChannelLayer(hosts=[url], prefix=prefix)


def monotonic_ms():
    return time.monotonic_ns() / 1e6


def message_of(size):
    return {"type": "bench.message", "text": "x" * max(0, size - OVERHEAD_BYTES)}


def span(begun, count):
    return {"from": begun, "until": monotonic_ms(), "count": count}


async def send(layer, task, ready):
    channels, calls = task["channels"], task["count"]
    message = message_of(task["bytes"])
    sent = 0

    async def lane():
        nonlocal sent
        while sent < calls:
            channel = channels[sent % len(channels)]
            sent += 1
            await layer.send(channel, message)

    begun = monotonic_ms()
    if task["inFlight"] == 1:
        await lane()
    else:
        await asyncio.gather(*(lane() for _ in range(task["inFlight"])))
    return span(begun, sent)


async def receive(layer, task, ready):
    channels = task["channels"]
    share = task["count"] // len(channels)

    async def take_share(channel):
        for _ in range(share):
            await layer.receive(channel)

    begun = monotonic_ms()
    taking = asyncio.gather(*(take_share(channel) for channel in channels))
    await asyncio.sleep(0)  # so that they wait
    ready()
    await taking
    return span(begun, share * len(channels))


async def ping(layer, task, ready):
    message = message_of(task["bytes"])
    times = []
    for _ in range(task["rounds"]):
        begun = monotonic_ms()
        await layer.send(task["ping"], message)
        await layer.receive(task["pong"])
        times.append(monotonic_ms() - begun)
    return {"times": times}


async def echo(layer, task, ready):
    message = message_of(task["bytes"])
    begun = monotonic_ms()
    ready()
    for _ in range(task["rounds"]):
        await layer.receive(task["ping"])
        await layer.send(task["pong"], message)
    return span(begun, task["rounds"])


async def attend(layer, task, ready):
    channels = []
    for _ in range(task["members"]):
        channel = await layer.new_channel()
        await layer.group_add(task["group"], channel)
        channels.append(channel)
    count = task["members"] * task["count"]
    return await receive(layer, {"channels": channels, "count": count}, ready)


async def group_send(layer, task, ready):
    message = message_of(task["bytes"])
    begun = monotonic_ms()
    for _ in range(task["count"]):
        await layer.group_send(task["group"], message)
    return span(begun, task["count"])


async def new_channel(layer, task, ready):
    return {"channel": await layer.new_channel()}


async def work(layer, task, ready):
    from channels.worker import Worker

    async def application(scope, receive, send):
        pass

    worker = Worker(application, task["channels"], layer)
    ready()
    await worker.handle()
    return {}


async def usage(layer, task, ready):
    return {"cpuMs": time.process_time() * 1000}


TASKS = {
    "send": send,
    "receive": receive,
    "ping": ping,
    "echo": echo,
    "attend": attend,
    "groupSend": group_send,
    "newChannel": new_channel,
    "work": work,
    "usage": usage,
}


def say(**response):
    print(json.dumps(response), flush=True)


async def perform(layer, task):
    task_id = task["id"]
    try:
        report = await TASKS[task["do"]](layer, task, lambda: say(id=task_id, ready=True))
        say(id=task_id, report=report)
    except Exception as error:
        say(id=task_id, error=repr(error))


async def main(kind, url, prefix):
    layer = open_layer(kind, url, prefix)
    stdin = asyncio.StreamReader(limit=2**20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    performing = set()  # a task that nobody holds may be collected in the middle
    while line := await stdin.readline():
        task = asyncio.create_task(perform(layer, json.loads(line)))
        performing.add(task)
        task.add_done_callback(performing.discard)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
