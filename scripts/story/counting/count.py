"""Two workers add up Leibniz's series for pi: a stand-in for a training, with the standard library only.

Each step adds the next terms, every worker its share, and worker 0 collects them: when a worker dies, the other one ends
too. The state is saved every SAVE_EVERY steps and at the checkpoint signal, and the next attempt goes on from there.
The error of the estimate is called `loss`, so that what is printed reads like the log of a training.
"""

import json
import math
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

TERMS = 1_000
STEP_S = 0.05
RANK, SIZE = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
ADDRESS = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
State = dict[str, Any]
CHECKPOINT = Path(os.environ["EISBACH_CHECKPOINT_DIR"]) / "state.json"


def main() -> None:
    asked: list[int] = []
    signal.signal(getattr(signal, os.environ["EISBACH_CHECKPOINT_SIGNAL"]), lambda number, frame: asked.append(number))
    steps, save_every = int(os.environ["STEPS"]), int(os.environ["SAVE_EVERY"])
    state: State = json.loads(CHECKPOINT.read_text()) if CHECKPOINT.exists() else {"step": 0, "sum": 0.0, "metrics": []}
    peers = join()
    lines = [peer.makefile("rb") for peer in peers]
    if RANK == 0 and state["step"]:
        print(f"resumed step={state['step']} loss={loss_of(state):.6f}", flush=True)
    first = state["step"] + 1
    for step in range(first, steps + 1):
        time.sleep(STEP_S)
        share = sum(term(index) for index in range((step - 1) * TERMS + RANK, step * TERMS, SIZE))
        if RANK != 0:
            peers[0].sendall(f"{share!r}\n".encode())
            continue
        state["sum"] += share + sum(received(one) for one in lines)
        state["step"] = step
        state["metrics"].append({"step": step, "loss": loss_of(state), "attempt_id": os.environ["EISBACH_ATTEMPT_ID"]})
        if step % 10 == 0 or step == first:
            print(f"step={step} loss={loss_of(state):.6f} pi={4 * state['sum']:.6f}", flush=True)
        if step % save_every == 0 or asked:
            asked.clear()
            save(state)
    if RANK == 0:
        write_results(state)


def term(index: int) -> float:
    return (1 - index % 2 * 2) / (2 * index + 1)


def loss_of(state: State) -> float:
    return float(abs(4 * state["sum"] - math.pi) * 1_000)


def join() -> list[socket.socket]:
    """The connections to the others: worker 0 has one to each, the others have one to worker 0."""
    if RANK == 0:
        with socket.create_server(ADDRESS) as server:
            return [server.accept()[0] for _ in range(SIZE - 1)]
    deadline = time.monotonic() + 30
    while True:
        try:
            return [socket.create_connection(ADDRESS)]
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def received(peer: BinaryIO) -> float:
    """The peer's share of one step: a line. A peer that is ahead has sent several, and each is for a step of its own."""
    line = peer.readline()
    if not line.endswith(b"\n"):
        sys.exit("a worker is gone: this one ends too, from the last checkpoint both go on")
    return float(line)


def save(state: State) -> None:
    """Write the state whole or not at all."""
    draft = CHECKPOINT.with_suffix(".tmp")
    with open(draft, "w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(CHECKPOINT)
    print(f"checkpoint saved step={state['step']}", flush=True)


def write_results(state: State) -> None:
    outputs = Path("outputs")
    outputs.mkdir()
    (outputs / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in state["metrics"]))
    (outputs / "sample.txt").write_text(f"pi is {4 * state['sum']:.8f}, or nearly so, after {state['step'] * TERMS} terms\n")
    print(f"finished step={state['step']} outputs=outputs", flush=True)


if __name__ == "__main__":
    main()
