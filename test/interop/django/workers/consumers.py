"""The Python half of a pair of consumers; test/support/partner.ts is the other half, and does the same."""

from channels.consumer import AsyncConsumer


class Partner(AsyncConsumer):
    """Adds numbers, and can have another worker do it: requests name the channel for their answer."""

    async def sum_request(self, message):
        """Answers with the sum."""
        await self.channel_layer.send(
            message["reply_channel"],
            {
                "type": "sum.reply",
                "id": message["id"],
                "total": sum(message["numbers"]),
                "by": "python",
                "report_to": message.get("report_to"),
            },
        )

    async def sum_delegate(self, message):
        """Asks the worker on the channel `to`, and has its answer sent to this instance's own channel."""
        await self.channel_layer.send(
            message["to"],
            {
                "type": "sum.request",
                "id": message["id"],
                "numbers": message["numbers"],
                "reply_channel": self.channel_name,
                "report_to": message["report_to"],
            },
        )

    async def sum_reply(self, message):
        """Passes on what another worker has answered."""
        await self.report(message, by=message["by"], total=message["total"])

    async def group_join(self, message):
        """Becomes a member of a group, with this instance's own channel."""
        await self.channel_layer.group_add(message["group"], self.channel_name)
        await self.report(message)

    async def group_leave(self, message):
        await self.channel_layer.group_discard(message["group"], self.channel_name)
        await self.report(message)

    async def group_tell(self, message):
        """Sends an event to all members of a group."""
        await self.channel_layer.group_send(
            message["group"],
            {
                "type": "group.event",
                "id": message["id"],
                "by": "python",
                "report_to": message["report_to"],
            },
        )

    async def group_event(self, message):
        """What another member, or this one, told the group."""
        await self.report(message, by=message["by"])

    async def linod_ping(self, message):
        """Asks a worker of linod on the channel `to` how it is doing."""
        self.asked = message
        await self.channel_layer.send(
            message["to"],
            {"type": "worker.ping", "reply_channel": self.channel_name},
        )

    async def worker_pong(self, message):
        """The answer of that worker."""
        await self.report(self.asked, worker=message["worker"])

    async def break_down(self, message):
        """A handler that fails."""
        raise RuntimeError("broke down as it was asked to")

    async def report(self, message, **details):
        """Tells the test what happened here."""
        await self.channel_layer.send(
            message["report_to"],
            {
                "type": "report",
                "of": message["type"],
                "id": message["id"],
                "at": "python",
                **details,
            },
        )
