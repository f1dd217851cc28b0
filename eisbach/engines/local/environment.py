"""The environment variables of a task: scrubbed, with what SkyPilot, torchrun and torch.distributed expect."""

import sys

from eisbach.core.jobs.data_request import FOLDER, variable_of
from eisbach.ports.engine import StartOrder, TaskOrder

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOOPBACK = "127.0.0.1"


def task_environment(
    order: StartOrder, task: TaskOrder, secrets: tuple[tuple[str, str], ...], folder: str, port: int
) -> dict[str, str]:
    """Return the whole environment of one task: defaults, then the job's own, then what the job cannot change.

    A gang's node is a share of this machine with one process of ours, so LOCAL_RANK is 0 in each of them.
    """
    nodes = str(len(order.tasks))
    gpus = ",".join(str(index) for index in task.gpu_indices)
    threads = str(max(1, task.cpu_milli // 1000))
    workspace = f"{folder}/work"
    environment = {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "USER": "eisbach",
        "LOGNAME": "eisbach",
        "SHELL": "/bin/bash",
        "OMP_NUM_THREADS": threads,
    }
    environment.update(order.envs)
    environment.update(secrets)
    environment.update(
        {
            "HOME": workspace,
            "PWD": workspace,
            "TMPDIR": f"{folder}/tmp",
            "EISBACH_JOB_ID": order.job_id,
            "EISBACH_JOB_NAME": order.job_name,
            "EISBACH_PROJECT_ID": order.project_id,
            "EISBACH_ATTEMPT_ID": order.attempt_id,
            "EISBACH_ATTEMPT_NUMBER": str(order.attempt_number),
            "EISBACH_PYTHON": sys.executable,
            "EISBACH_CHECKPOINT_DIR": f"{workspace}/{order.checkpoint_path}",
            "EISBACH_CHECKPOINT_SIGNAL": order.checkpoint_signal,
            **{variable_of(one.name): f"{workspace}/{FOLDER}/{one.name}" for one in order.data},
            "EISBACH_CPUS": f"{task.cpu_milli / 1000:g}",
            "EISBACH_MEMORY_MIB": str(task.memory_mib),
            **_part_of_a_gpu(task),
            "EISBACH_TIME_LIMIT_S": str(order.limit_ms // 1000),
            "SKYPILOT_TASK_ID": order.attempt_id,
            "SKYPILOT_NODE_RANK": str(task.rank),
            "SKYPILOT_NODE_IPS": "\n".join(LOOPBACK for _ in order.tasks),
            "SKYPILOT_NUM_NODES": nodes,
            "SKYPILOT_NUM_GPUS_PER_NODE": str(len(task.gpu_indices)),
            "MASTER_ADDR": LOOPBACK,
            "MASTER_PORT": str(port),
            "RANK": str(task.rank),
            "WORLD_SIZE": nodes,
            "LOCAL_RANK": "0",
            "LOCAL_WORLD_SIZE": "1",
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "CUDA_VISIBLE_DEVICES": gpus,
        }
    )
    return environment


def _part_of_a_gpu(task: TaskOrder) -> dict[str, str]:
    """Return what tells a task that others use its GPU as well; where NVIDIA's MPS runs, that one holds it to its part.

    Source: NVIDIA Multi-Process Service, "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE".
    """
    if task.gpu_milli == 1000 or not task.gpu_indices:
        return {}
    percent = f"{task.gpu_milli / 10:g}"
    return {"EISBACH_GPU_PART": f"{task.gpu_milli / 1000:g}", "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": percent}
