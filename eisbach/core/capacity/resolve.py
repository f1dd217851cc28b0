"""From what a tenant asks for to what this fleet can offer: concrete flavours, or a refusal that names what exists."""

from dataclasses import replace

from eisbach.core.capacity.fit import slice_milli
from eisbach.core.capacity.flavours import gpu_model
from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.inventory import Node, is_flavour
from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.request import NodeShape
from eisbach.core.jobs.within import Within
from eisbach.core.vocabulary.reasons import Reason, Refusal


def resolve_shapes(
    fleet: Fleet,
    shapes: tuple[NodeShape, ...],
    nodes: int,
    where: Where = ANYWHERE,
    within: Within | None = None,
    slices_at: Where = ANYWHERE,
) -> tuple[NodeShape, ...] | Refusal:
    """Return the acceptable alternatives with flavours of this fleet, in the tenant's order; or why there are none.

    Only what could be placed where it may be counts, slices of GPUs at `slices_at`; the refusal names what the whole fleet has.
    """
    resolved: list[NodeShape] = []
    refusal: Refusal | None = None
    for shape in shapes:
        found = _flavours_for(fleet, shape)
        fitting = [one for one in found if fleet.could_ever(one, nodes, slices_at if shape.mig else where, within=within)]
        resolved.extend(one for one in fitting if one not in resolved)
        if not fitting and refusal is None:
            refusal = _why_not(fleet, shape, nodes, found, within)
    if resolved:
        return tuple(resolved)
    return refusal or Refusal(Reason.INVALID_TASK, "the task accepts no kind of node", "Name at least one in resources")


def flavours_of(fleet: Fleet) -> dict[str, list[Node]]:
    """Return the nodes of each flavour that exist, by flavour name in order."""
    found: dict[str, list[Node]] = {}
    for node in fleet.nodes.values():
        if not node.removed:
            found.setdefault(node.flavour, []).append(node)
    return dict(sorted(found.items()))


def _flavours_for(fleet: Fleet, shape: NodeShape) -> list[NodeShape]:
    if shape.flavour is None and not shape.gpus:
        return [shape]
    names = [
        name
        for name, nodes in flavours_of(fleet).items()
        if (shape.flavour is None or is_flavour(name, shape.flavour)) and (not shape.gpus or nodes[0].gpus)
    ]
    if shape.mig:
        return [replace(shape, flavour=name, gpu_milli=milli) for name in names if (milli := slice_milli(name, shape.mig))]
    return [replace(shape, flavour=name) for name in names]


def _why_not(fleet: Fleet, shape: NodeShape, nodes: int, found: list[NodeShape], within: Within | None) -> Refusal:
    existing = flavours_of(fleet)
    listed = ", ".join(f"{name} ({len(of)} x {_offer(of[0])})" for name, of in existing.items()) or "no node at all"
    if shape.mig and not found:
        return _no_such_slice(shape, existing)
    if shape.mig and any(fleet.could_ever(one, nodes, within=within) for one in found):
        return Refusal(
            Reason.NO_SUCH_FLAVOUR,
            f"The task asks for the slice {shape.mig} of a GPU, and no GPU is cut into slices where it may run",
            "Ask for a part of a GPU, such as B200:0.5",
            "resources.accelerators",
            {"slice": shape.mig},
        )
    if not found:
        what = f"{shape.gpus} x {shape.flavour or 'any GPU'}" if shape.gpus else f"the flavour {shape.flavour}"
        return Refusal(
            Reason.NO_SUCH_FLAVOUR,
            f"The task asks for {what} on each node, and this factory has none",
            f"It has: {listed}. Ask for one of these, or leave accelerators out",
            "resources.accelerators",
            {"wanted": shape.flavour or "", "existing": sorted(existing)},
        )
    if not any(fleet.could_ever(one, 1) for one in found):
        asked = f"{shape.cpu_milli / 1000:g} cores, {shape.memory_mib} MiB, {shape.gpus} GPUs"
        return Refusal(
            Reason.MORE_THAN_ANY_NODE,
            f"The task asks for {asked} on one node, and no node has that much",
            f"It has: {listed}. Ask for less per node, or for more nodes",
            "resources",
            {"cpu_milli": shape.cpu_milli, "memory_mib": shape.memory_mib, "gpus": shape.gpus},
        )
    if within is not None and within.is_required and any(fleet.could_ever(one, nodes) for one in found):
        level = within.level.value
        return Refusal(
            Reason.MORE_THAN_THE_SITE,
            f"The gang of {nodes} nodes must stand in one {level}, and no {level} holds so many even when nothing else runs",
            "Lower num_nodes, name a wider level, or say required: false",
            "within",
            {"nodes": nodes, "within": level},
        )
    return Refusal(
        Reason.MORE_THAN_THE_SITE,
        f"The gang of {nodes} nodes of {shape.cpu_milli / 1000:g} cores, {shape.memory_mib} MiB and {shape.gpus} GPUs "
        "does not fit even when nothing else runs",
        f"It has: {listed}. Lower num_nodes or what each node asks for",
        "num_nodes",
        {"nodes": nodes},
    )


def _no_such_slice(shape: NodeShape, existing: dict[str, list[Node]]) -> Refusal:
    """The GPUs may be here, but none is cut like that."""
    slices = {name: [one.name for one in model.mig] for name in existing if (model := gpu_model(name)) is not None and model.mig}
    listed = "; ".join(f"{name} into {', '.join(profiles)}" for name, profiles in slices.items())
    do = f"It cuts {listed}. Ask for one of these" if listed else "It cuts no GPU into slices. Ask for a part of one, such as B200:0.5"
    return Refusal(
        Reason.NO_SUCH_FLAVOUR,
        f"The task asks for the slice {shape.mig} of {shape.flavour or 'any GPU'}, and this factory has no GPU that is cut like that",
        do,
        "resources.accelerators",
        {"wanted": f"{shape.flavour or ''}:{shape.mig}", "existing": [f"{name}:{one}" for name, profiles in slices.items() for one in profiles]},
    )


def _offer(node: Node) -> str:
    gpus = f", {node.gpus} GPUs" if node.gpus else ""
    return f"{node.cpu_milli / 1000:g} cores, {node.memory_mib} MiB{gpus}"
