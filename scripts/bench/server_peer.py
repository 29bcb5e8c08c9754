"""The applications of the server benchmark for daphne and uvicorn, as server-peer.ts has them.

Not for people; server.ts starts a server with `application`, or `consumers` where there is a group.
"""

import os

from django.conf import settings

settings.configure(
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [os.environ.get("BENCH_REDIS", "redis://127.0.0.1")]},
        }
    }
)

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402

BODY = b"hello\n"
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"6")]
GROUP = "bench"


async def application(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({**message, "type": "websocket.send"})


class Member(AsyncWebsocketConsumer):
    groups = [GROUP]

    async def bench_message(self, event):
        await self.send(text_data=event["text"])


class Speaker(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.group_send(GROUP, {"type": "bench.message", "text": text_data})


CONSUMERS = {"/listen": Member.as_asgi(), "/speak": Speaker.as_asgi()}


async def consumers(scope, receive, send):
    await CONSUMERS[scope["path"]](scope, receive, send)
