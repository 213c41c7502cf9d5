"""Where the webhooks go: notes every message, and may be made to hang."""

import asyncio
import json
from dataclasses import dataclass

from tests.faults.doors import Listening, read_request


@dataclass(frozen=True, slots=True)
class Message:
    """A webhook that was taken."""

    id: str
    rule: str
    subject: str
    status: str


class Dispatcher(Listening):
    """Takes every message with 204. While `hanging` it reads and never answers. `asked`: messages that came."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self.hanging = False
        self.delay_s = 0.0
        self.asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, body = await read_request(reader)
            self.asked += 1
            if self.hanging:
                await asyncio.Event().wait()
            await asyncio.sleep(self.delay_s)
            number = head.lower().partition(b"\r\nwebhook-id:")[2].split(b"\r\n", 1)[0].strip().decode()
            said = json.loads(body)
            self.messages.append(Message(number, str(said["rule"]), str(said["subject"]), str(said["status"])))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await writer.drain()
