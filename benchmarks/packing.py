"""How full parts of GPUs are packed: the protocol of FGD (ATC 2023) on Alibaba's nodes and pods, three rankings, paired seeds.

    python -m benchmarks.packing [--seeds 10]

Reference (the paper's simulator, mean of 10 seeds): random 86.30, bestfit 92.86, fgd 95.23 percent of 6,212 GPUs.
"""

import argparse
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from eisbach.twin.pack import RANKINGS, pack
from eisbach.twin.pack_files import read_nodes, read_pods

SHARED = Path(os.environ.get("EISBACH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
TRACES = SHARED / "data" / "traces"


def allocated(policy: str, seed: int) -> tuple[float, float]:
    """Return how much was allocated at full demand, in percent, and the CPU seconds of it."""
    nodes, pods = read_nodes(TRACES / "alibaba_gpu_v2023_nodes.csv.gz"), read_pods(TRACES / "alibaba_gpu_v2023.csv.gz")
    before = time.process_time()
    packed = pack(nodes, pods, policy=policy, seed=seed)
    return 100 * packed.allocated_at_full_demand, time.process_time() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(1, parser.parse_args().seeds + 1)
    with ProcessPoolExecutor() as workers:
        results = {
            policy: list(workers.map(allocated, [policy] * len(seeds), seeds)) for policy in reversed(list(RANKINGS))
        }
    means = {policy: statistics.mean(share for share, _ in of) for policy, of in results.items()}
    least = min(fgd - best for (fgd, _), (best, _) in zip(results["fgd"], results["bestfit"], strict=True))
    print(
        f"packing: {len(seeds)} seeds, allocated at full demand: "
        + ", ".join(f"{policy} {mean:.2f} %" for policy, mean in means.items())
        + f"; fgd - bestfit {means['fgd'] - means['bestfit']:.2f} (least {least:.2f}); "
        + f"{statistics.mean(cpu for _, cpu in results['fgd']):.1f} CPU s a seed; python -m benchmarks.packing"
    )


if __name__ == "__main__":
    main()
