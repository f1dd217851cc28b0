"""What server and agent say to each other: length-prefixed msgpack frames over a unix socket, with a version."""

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from eisbach.ports.engine import Observation, StartOrder, StopOrder

PROTOCOL_VERSION = 1
FRAME_BYTES_MAX = 64 * 1024 * 1024
_LENGTH = struct.Struct("<I")


class Hello(msgspec.Struct, tag="hello", frozen=True):
    """First frame of each connection; `subscribes` asks for pushed observations."""

    version: int
    subscribes: bool = False


class Start(msgspec.Struct, tag="start", frozen=True):
    """Begin an attempt."""

    order: StartOrder


class Stop(msgspec.Struct, tag="stop", frozen=True):
    """Stop an attempt."""

    order: StopOrder


class Observe(msgspec.Struct, tag="observe", frozen=True):
    """Ask for all observations."""


class Forget(msgspec.Struct, tag="forget", frozen=True):
    """Let an attempt's scratch space go."""

    attempt_id: str


class Shutdown(msgspec.Struct, tag="shutdown", frozen=True):
    """Ask the agent to end; supervisors go on. This frame and Hello stay the same in all versions."""


class Done(msgspec.Struct, tag="done", frozen=True):
    """The order is durable."""

    version: int = PROTOCOL_VERSION
    pid: int = 0


class Failed(msgspec.Struct, tag="failed", frozen=True):
    """The order was not taken; `kind` is `stale_epoch`, `invalid`, `version` or `unavailable`."""

    kind: str
    text: str


class Seen(msgspec.Struct, tag="seen", frozen=True):
    """What the agent knows: the answer to Observe, or a push."""

    observations: list[Observation]


Request = Hello | Start | Stop | Observe | Forget | Shutdown
Reply = Done | Failed | Seen


def encode_other(value: Any) -> Any:
    """Return a path as text; raise NotImplementedError for anything else that msgspec does not know."""
    if isinstance(value, Path):
        return os.fspath(value)
    raise NotImplementedError(f"cannot encode {type(value)}")


def decode_other(kind: type, value: Any) -> Any:
    """Return text as a path; raise NotImplementedError for anything else that msgspec does not know."""
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"cannot decode {kind}")


_encoder = msgspec.msgpack.Encoder(enc_hook=encode_other)
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request, dec_hook=decode_other)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply, dec_hook=decode_other)
_observations: msgspec.msgpack.Decoder[Observation] = msgspec.msgpack.Decoder(Observation)


def frame(message: Request | Reply) -> bytes:
    """Return a message with its length before it."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


def report_bytes(observation: Observation) -> bytes:
    """Return the datagram with which a supervisor reports to the agent."""
    return _encoder.encode(observation)


def read_report(data: bytes) -> Observation:
    """Return the observation of a datagram; raise msgspec.DecodeError."""
    return _observations.decode(data)


class FrameBuffer:
    """Collects bytes of one connection and yields whole frames."""

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """Add bytes as they came."""
        self._data += data

    def bodies(self) -> Iterator[bytes]:
        """Yield the whole frames that are there; raise ValueError for one that is too long."""
        while len(self._data) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data)
            if length > FRAME_BYTES_MAX:
                raise ValueError(f"a frame of {length} bytes is too long")
            end = _LENGTH.size + length
            if len(self._data) < end:
                return
            body = bytes(self._data[_LENGTH.size : end])
            del self._data[:end]
            yield body


def decode_request(body: bytes) -> Request:
    """Return the request in a frame; raise msgspec.DecodeError."""
    return _requests.decode(body)


def decode_reply(body: bytes) -> Reply:
    """Return the reply in a frame; raise msgspec.DecodeError."""
    return _replies.decode(body)


def receive_reply(connection: socket.socket, buffer: FrameBuffer) -> Reply:
    """Return the next reply of a blocking connection; raise ConnectionError where it is closed."""
    while True:
        for body in buffer.bodies():
            return decode_reply(body)
        data = connection.recv(1 << 18)
        if not data:
            raise ConnectionError("the agent closed the connection")
        buffer.add(data)


class SocketFolder:
    """Names sockets in a folder by way of an open descriptor: a socket's path may have only 108 bytes, a home more."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def address(self, name: str) -> str:
        """Return a short address of the socket `name` in the folder, valid in this process until close()."""
        return f"/proc/self/fd/{self._fd}/{name}"

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._fd)
