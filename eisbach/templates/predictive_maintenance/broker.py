"""A small MQTT broker for demonstrations, on this machine only: no users, no encryption, nothing kept. Use a real one for a real plant."""

import argparse
import asyncio
import logging
import signal
import sys
from importlib.util import find_spec

HOST = "127.0.0.1"


async def serve(port: int) -> None:
    from amqtt.broker import Broker

    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await broker.start()
    print(f"broker for demonstrations listens on mqtt://{HOST}:{port}, for everybody on this machine", flush=True)
    await ended.wait()
    await broker.shutdown()


def main() -> int:
    if find_spec("amqtt") is None:
        sys.exit(f"{sys.executable} has no amqtt. pip install 'eisbach[industry]' there, or use mosquitto")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=1883)
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(parser.parse_args().port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
