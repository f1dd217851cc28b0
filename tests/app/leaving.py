"""An organisation leaves one factory and comes to another: what the tests about packages work with."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from eisbach.app import export_organisation, import_organisation
from eisbach.app.commands import SYSTEM
from eisbach.app.export_organisation import Export
from eisbach.core.log.head import VerifierKey


def inline(factory, call):
    """Run what waits for the applier, while this thread is the applier."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(call)
        while not done.done():
            if factory.app.applier.has_waiting:
                factory.app.applier.drain()
        return done.result()


def begun(factory, organisation):
    """Begin an export and return it, or the refusal."""
    return inline(factory, lambda: export_organisation.begin(factory.app, SYSTEM, organisation))


def exported(factory, organisation, file: Path) -> Path:
    """Export an organisation into a file."""
    export = begun(factory, organisation)
    assert isinstance(export, Export), str(export)
    with open(file, "wb") as out:
        for piece in export_organisation.packed(export):
            out.write(piece)
    return file


def key_of(factory) -> str:
    """Return the verifier key that a factory publishes."""
    return str(VerifierKey(factory.app.signer.name, factory.app.signer.public_key))


def imported(factory, file: Path, trust: str):
    """Import a package as it would come over the network; return the answer."""
    packages = factory.app.packages
    with packages.receive() as incoming:
        with open(file, "rb") as source:
            while piece := source.read(1 << 16):
                assert incoming.write(piece) is None
        return inline(factory, lambda: import_organisation.take_in(factory.app, SYSTEM, incoming.path, trust=trust))


def organisation_of(factory) -> str:
    """Return the organisation of a factory's first project."""
    return factory.app.applier.state.projects[factory.project].organisation
