"""The applications of daphne.test.ts, as Channels has them. test/interop/exchange-application.ts says the same in TypeScript.

Example: python3 -m daphne -p 0 --proxy-headers daphne_app:application

A connection with a header X-Exchange is recorded; GET /records?ID shows the records as JSON.
"""

import json

from django.conf import settings

settings.configure(
    SECRET_KEY="not a secret",
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
)

import django

django.setup()

from channels.exceptions import AcceptConnection, DenyConnection
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from channels.sessions import CookieMiddleware
from daphne.ws_protocol import WebSocketFactory
from django.urls import path, re_path

set_protocol_options = WebSocketFactory.setProtocolOptions


def set_patient_options(self, **options):
    """On a busy machine a client may take longer than a second to answer a close frame."""
    set_protocol_options(self, **options, closeHandshakeTimeout=60)


WebSocketFactory.setProtocolOptions = set_patient_options


def plain(value):
    """Bytes become text, one character a byte."""
    if isinstance(value, bytes):
        return value.decode("latin1")
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


records = {}


def recorded(application):
    async def record(scope, receive, send):
        if scope["path"] == "/records":
            return await show_records(scope, send)
        names = [value for name, value in scope["headers"] if name == b"x-exchange"]
        if not names:
            return await application(scope, receive, send)
        entry = {"scope": plain(scope), "received": [], "sent": []}
        records.setdefault(names[0].decode(), []).append(entry)

        async def recording_receive():
            message = await receive()
            entry["received"].append(plain(message))
            return message

        async def recording_send(message):
            entry["sent"].append(plain(message))
            try:
                await send(message)
            except Exception:
                entry["sent"][-1]["refused"] = True
                raise

        try:
            await application(scope, recording_receive, recording_send)
            entry["end"] = "returned"
        except Exception:
            entry["end"] = "raised"
            raise
        finally:
            entry.setdefault("end", "cancelled")

    return record


async def show_records(scope, send):
    body = json.dumps(records.get(scope["query_string"].decode(), [])).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def route(scope):
    return scope["url_route"]["kwargs"]


class Echo(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_response(200, body or b"nothing")


class Item(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_response(200, json.dumps(route(self.scope)).encode())


class Cookies(AsyncHttpConsumer):
    async def handle(self, body):
        text = json.dumps(self.scope["cookies"], sort_keys=True, separators=(",", ":"))
        await self.send_response(200, text.encode())


class Status(AsyncHttpConsumer):
    async def handle(self, body):
        status = int(route(self.scope)["status"])
        await self.send_response(status, b"" if status in (204, 304) else b"so it is")


class Headers(AsyncHttpConsumer):
    async def handle(self, body):
        headers = [(b"X-Upper", b"A"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-latin", b"\xe4")]
        await self.send_response(201, b"made", headers=headers)


class HeaderMap(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_response(200, b"made", headers={b"x-one": b"1", b"x-two": b"2"})


class Stream(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_headers(headers=[(b"content-type", b"text/plain")])
        for part in (b"one ", b"", b"two "):
            await self.send_body(part, more_body=True)
        await self.send_body(b"three")


class Large(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_headers()
        for n in range(20):
            await self.send_body(b"x" * 50000, more_body=n < 19)


class Length(AsyncHttpConsumer):
    async def handle(self, body):
        length = route(self.scope)["length"].encode()
        await self.send_headers(headers=[(b"content-length", length)])
        await self.send_body(b"12345", more_body=True)
        await self.send_body(b"67890")


class Framed(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_response(200, b"framed", headers=[(b"transfer-encoding", b"chunked")])


class Fails(AsyncHttpConsumer):
    async def handle(self, body):
        raise ValueError("lost its way")


class FailsLate(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_headers()
        await self.send_body(b"half", more_body=True)
        raise ValueError("lost its way")


start = {"type": "http.response.start", "status": 200, "headers": []}


def says(*messages):
    """An application that sends these messages once it has the request."""

    async def application(scope, receive, send):
        await receive()
        for message in messages:
            await send(message)

    return application


def part(body, more=False):
    return {"type": "http.response.body", "body": body, "more_body": more}


async def unread(scope, receive, send):
    await send(start)
    await send(part(b"not read"))


async def waits(scope, receive, send):
    """Answers, and only then looks whether the client is there."""
    await receive()
    await send(start)
    await send(part(b"answered"))
    await receive()


async def long_poll(scope, receive, send):
    while (await receive())["type"] != "http.disconnect":
        pass


async def sends_after(scope, receive, send):
    await long_poll(scope, receive, send)
    await send(start)
    await send(part(b"too late"))


class WsEcho(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data, bytes_data=bytes_data)


class WsPlain(AsyncWebsocketConsumer):
    pass


class WsSubprotocol(AsyncWebsocketConsumer):
    async def connect(self):
        offered = self.scope["subprotocols"]
        await self.accept(offered[-1] if offered else None)


class WsStranger(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept("stranger")


class WsHeaders(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept(headers=[(b"x-room", b"kitchen"), (b"set-cookie", b"a=1")])


class WsDeny(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close()


class WsDenyCode(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close(4003, "no entry")


class WsDenyThrown(AsyncWebsocketConsumer):
    async def connect(self):
        raise DenyConnection()


class WsAcceptThrown(AsyncWebsocketConsumer):
    async def connect(self):
        raise AcceptConnection()


class WsClose(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        code, _, reason = text_data.partition(" ")
        if code:
            await self.close(int(code), reason)
        else:
            await self.close()


class WsSendAndClose(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await self.send(text_data="last", close=4009)


class WsFailsEarly(AsyncWebsocketConsumer):
    async def connect(self):
        raise ValueError("lost its way")


class WsFailsAccepted(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        raise ValueError("lost its way")


class WsFailsReceiving(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data="before")
        raise ValueError("lost its way")


class WsFailsLeaving(AsyncWebsocketConsumer):
    async def disconnect(self, code):
        raise ValueError("lost its way")


class WsJson(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content, **kwargs):
        await self.send_json({"echo": content})

    @classmethod
    async def encode_json(cls, content):
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


class WsGroup(AsyncWebsocketConsumer):
    groups = ["kitchen"]

    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "leave":
            await self.channel_layer.group_discard("kitchen", self.channel_name)
            await self.send(text_data="left")
        else:
            message = {"type": "chat.message", "text": text_data}
            await self.channel_layer.group_send("kitchen", message)

    async def chat_message(self, event):
        await self.send(text_data=event["text"])


class WsOwn(AsyncWebsocketConsumer):
    """Sends its own channel what the client says as a type."""

    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.send(self.channel_name, {"type": text_data})

    async def own_note(self, event):
        await self.send(text_data="noted")


accept = {"type": "websocket.accept"}


async def ws_denial(scope, receive, send):
    await receive()
    headers = [(b"x-why", b"closed")]
    await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"log ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"in"})
    # daphne leaves the client without an answer otherwise.
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
    await receive()


def ws_says(*messages):
    """An application that sends these messages, and then waits until the client leaves."""

    async def application(scope, receive, send):
        await receive()
        for message in messages:
            await send(message)
        while (await receive())["type"] != "websocket.disconnect":
            pass

    return application


async def ws_returns(scope, receive, send):
    await receive()
    await send(accept)
    await send({"type": "websocket.send", "text": "good bye"})


async def ws_undecided(scope, receive, send):
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def ws_leaves(scope, receive, send):
    await receive()


def text(content):
    return {"type": "websocket.send", "text": content}


allowed = ["http://good.example", ".wild.example", "https://port.example:8443", "bare.example"]

http = URLRouter(
    [
        path("item/<name>/<int:number>/", Item.as_asgi()),
        path("cookies", CookieMiddleware(Cookies.as_asgi())),
        path("status/<int:status>", Status.as_asgi()),
        path("headers", Headers.as_asgi()),
        path("header-map", HeaderMap.as_asgi()),
        path("stream", Stream.as_asgi()),
        path("large", Large.as_asgi()),
        path("length/<length>", Length.as_asgi()),
        path("framed", Framed.as_asgi()),
        path("fails", Fails.as_asgi()),
        path("fails-late", FailsLate.as_asgi()),
        path("unread", unread),
        path("waits", waits),
        path("long-poll", long_poll),
        path("sends-after", sends_after),
        path("silent", says()),
        path("start-only", says(start)),
        path("start-twice", says(start, start)),
        path("body-first", says(part(b"early"))),
        path("body-after", says(start, part(b"all"), part(b"more"))),
        path("unknown-message", says({"type": "http.response.dance"})),
        path("no-status", says({"type": "http.response.start"}, part(b"x"))),
        path("text-body", says(start, {"type": "http.response.body", "body": "text"})),
        path("text-header", says({**start, "headers": [(b"x-a", 1)]}, part(b"x"))),
        path("header-newline", says({**start, "headers": [(b"x-a", b"1\r\nx-b: 2")]}, part(b"x"))),
        re_path(r"^(?:echo.*|\*)?$", Echo.as_asgi()),
    ]
)

websocket = URLRouter(
    [
        path("ws/echo", WsEcho.as_asgi()),
        re_path(r"^ws/echo/.*$", WsEcho.as_asgi()),
        path("ws/plain", WsPlain.as_asgi()),
        path("ws/subprotocol", WsSubprotocol.as_asgi()),
        path("ws/stranger", WsStranger.as_asgi()),
        path("ws/headers", WsHeaders.as_asgi()),
        path("ws/deny", WsDeny.as_asgi()),
        path("ws/deny-code", WsDenyCode.as_asgi()),
        path("ws/deny-thrown", WsDenyThrown.as_asgi()),
        path("ws/accept-thrown", WsAcceptThrown.as_asgi()),
        path("ws/close", WsClose.as_asgi()),
        path("ws/send-and-close", WsSendAndClose.as_asgi()),
        path("ws/fails-early", WsFailsEarly.as_asgi()),
        path("ws/fails-accepted", WsFailsAccepted.as_asgi()),
        path("ws/fails-receiving", WsFailsReceiving.as_asgi()),
        path("ws/fails-leaving", WsFailsLeaving.as_asgi()),
        path("ws/json", WsJson.as_asgi()),
        path("ws/group", WsGroup.as_asgi()),
        path("ws/own", WsOwn.as_asgi()),
        path("ws/origin", OriginValidator(WsEcho.as_asgi(), allowed)),
        path("ws/any-origin", OriginValidator(WsEcho.as_asgi(), ["*"])),
        path("ws/denial", ws_denial),
        path("ws/returns", ws_returns),
        path("ws/leaves", ws_leaves),
        path("ws/leaves-not", ws_undecided),
        path("ws/sends-first", ws_says(text("early"))),
        path("ws/accepts-twice", ws_says(accept, accept)),
        path("ws/sends-empty", ws_says(accept, text(""), text("after"))),
        path("ws/sends-both", ws_says(accept, {**text("a"), "bytes": b"b"})),
        path("ws/sends-neither", ws_says(accept, {"type": "websocket.send"}, text("after"))),
        path("ws/sends-after", ws_says(accept, {"type": "websocket.close", "code": 4000}, text("late"))),
        path("ws/closes-twice", ws_says(accept, *[{"type": "websocket.close", "code": c} for c in (4000, 4001)])),
        path("ws/unknown-message", ws_says(accept, {"type": "websocket.dance"}, text("after"))),
        path("ws/no-type", ws_says(accept, {"text": "x"})),
    ]
)

application = recorded(ProtocolTypeRouter({"http": http, "websocket": websocket}))
