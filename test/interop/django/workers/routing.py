"""Which consumer handles which channel."""

from channels.routing import ChannelNameRouter, ProtocolTypeRouter

from workers.consumers import Partner

application = ProtocolTypeRouter(
    {
        "channel": ChannelNameRouter({"python": Partner.as_asgi()}),
    }
)
