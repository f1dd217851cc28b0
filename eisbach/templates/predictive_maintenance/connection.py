"""The way to the broker, the same for the job and for the simulated plant: address, credentials, TLS, and patience."""

import os
import socket
import ssl
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from unreadable import Unreadable

if TYPE_CHECKING:
    from paho.mqtt.client import Client

PORTS = {"mqtt": 1883, "mqtts": 8883}
RETRY_S_MAX = 30
PASSWORD = "MQTT_PASSWORD"
QUEUED_MAX = 10_000


def require_paho() -> None:
    if find_spec("paho") is None:
        sys.exit(f"{sys.executable} has no paho-mqtt. pip install 'eisbach[industry]' there, or in `setup` of the task file")


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    is_encrypted: bool
    user: str | None

    @classmethod
    def read(cls, text: str) -> "Address":
        """From mqtt://[USER@]HOST[:PORT] or mqtts://...; the password comes from MQTT_PASSWORD, never from an address."""
        parts = urlsplit(text)
        try:
            port = parts.port
        except ValueError as error:
            raise Unreadable(f"the broker's address {text!r} has no valid port", "Write mqtt://HOST:1883") from error
        if parts.scheme not in PORTS or not parts.hostname:
            raise Unreadable(f"{text!r} is no address of a broker", "Write mqtt://HOST:1883, or mqtts://HOST:8883 with TLS")
        if parts.password is not None:
            raise Unreadable("a password stands in the broker's address", f"Write mqtt://USER@HOST and give the password as the secret {PASSWORD}")
        return cls(parts.hostname, port or PORTS[parts.scheme], parts.scheme == "mqtts", parts.username)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}{' with TLS' if self.is_encrypted else ''}"


def _send_at_once(_client: "Client", _data: Any, sock: socket.socket) -> None:
    """Small packets are not held back for the acknowledgement of the last one (Nagle), which costs up to 40 ms each."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def make_client(address: Address, name: str, is_lasting: bool, retry_s_min: float, ca_file: str | None = None) -> "Client":
    """A client that reconnects by itself, waiting twice as long after each failure; a lasting one is remembered by the broker."""
    from paho.mqtt.client import CallbackAPIVersion, Client

    client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=not is_lasting, manual_ack=is_lasting)
    client.reconnect_delay_set(retry_s_min, max(retry_s_min, RETRY_S_MAX))
    client.max_queued_messages_set(QUEUED_MAX)
    client.on_socket_open = _send_at_once
    if address.user:
        client.username_pw_set(address.user, os.environ.get(PASSWORD))
    if address.is_encrypted:
        client.tls_set(ca_certs=ca_file, cert_reqs=ssl.CERT_REQUIRED)
    return client
