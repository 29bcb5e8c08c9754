"""The consumer of the Channels tutorial: the twin of ../chat.ts, with the same group and the same messages."""

import json
import re

from channels.generic.websocket import AsyncWebsocketConsumer

MAX_LENGTH = 1000


class ChatConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        room = self.scope["url_route"]["kwargs"]["room"]
        self.group = "chat_" + re.sub(r"[^\w.-]", "-", room, flags=re.ASCII)[:80]
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        message = text_of(json.loads(text_data).get("message"))
        await self.channel_layer.group_send(self.group, {"type": "chat.message", "message": message})

    async def chat_message(self, event):
        await self.send(json.dumps({"message": text_of(event["message"])}))


def text_of(value):
    return value[:MAX_LENGTH] if isinstance(value, str) else ""
