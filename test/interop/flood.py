#!/usr/bin/python3
"""Sends and receives thousands of numbered messages with the real channels_redis.

Its options are those of peer.py; test/support/python-flood.ts drives it.  A
request is one JSON line on stdin, a result or an event one line on stdout:

    {"id": 1, "op": "receive", "name": "a", "channel": "chat"}   receives until the end
    {"id": 2, "op": "new_receiver", "name": "b", "group": "g"}   the same on a new specific channel
    {"id": 3, "op": "send", "channel": "chat", "first": 0, "count": 10, "step": 1}
    {"id": 4, "op": "group_send", "group": "g", "first": 0, "count": 10, "step": 1}
    {"event": "numbers", "name": "a", "numbers": [0, 1, 2]}      what a receiver got since the last such line

It ends at the end of stdin, after a last line for each receiver.
"""

import asyncio
import json
import sys

import peer

# A full channel is tried again after so many seconds, and receivers tell what they have at such intervals.
PAUSE = 0.002
TELL_EVERY = 0.05


class Flood:
    def __init__(self, args):
        self.args = args
        self.layer = peer.make_layer(args)
        self.received = {}
        self.receivers = []

    async def receive(self, name, channel):
        """Begins to receive, and returns when whatever is sent from now on arrives."""
        await peer.prepare(self.args, self.layer, channel)
        self.received[name] = []
        self.receivers.append(asyncio.ensure_future(self.receive_all(name, channel)))

    async def receive_all(self, name, channel):
        try:
            while True:
                message = await self.layer.receive(channel)
                self.received[name].append(message["n"])
        except Exception as error:
            peer.say_error(error, receiver=name)

    async def new_receiver(self, name, group=None):
        channel = await self.layer.new_channel()
        if group is not None:
            await self.layer.group_add(group, channel)
            if self.args.layer == "pubsub":
                inner = self.layer._get_layer()
                await peer.subscribed(self.layer, inner._get_group_channel_name(group))
        await self.receive(name, channel)
        return channel

    async def send(self, channel, first, count, step):
        """Sends one after the other, and returns how often the channel was full."""
        from channels.exceptions import ChannelFull

        refusals = 0
        for i in range(count):
            while True:
                try:
                    await self.layer.send(channel, numbered(first + i * step))
                    break
                except ChannelFull:
                    refusals += 1
                    await asyncio.sleep(PAUSE)
        return refusals

    async def group_send(self, group, first, count, step):
        for i in range(count):
            await self.layer.group_send(group, numbered(first + i * step))

    async def perform(self, request):
        number, op = request.pop("id"), request.pop("op")
        try:
            peer.say(id=number, result=await getattr(self, op)(**request))
        except Exception as error:
            peer.say_error(error, id=number)

    def tell(self):
        for name, numbers in self.received.items():
            if numbers:
                self.received[name] = []
                peer.say(event="numbers", name=name, numbers=numbers)

    async def tell_again_and_again(self):
        while True:
            await asyncio.sleep(TELL_EVERY)
            self.tell()

    async def run(self):
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        tasks = [asyncio.ensure_future(self.tell_again_and_again())]
        peer.say(event="ready")
        while line := await reader.readline():
            tasks.append(asyncio.ensure_future(self.perform(json.loads(line))))
        for task in tasks + self.receivers:
            task.cancel()
        await asyncio.gather(*tasks, *self.receivers, return_exceptions=True)
        self.tell()
        await peer.settle(self.args, self.layer)


def numbered(n):
    return {"type": "flood.number", "n": n, "text": "Tere õhtust 日本"}


async def main():
    await Flood(peer.parse(sys.argv[1:] + ["serve"])).run()


if __name__ == "__main__":
    asyncio.run(main())
