"""Checks a certificate of deletion offline: the log's proofs, the signature, and that the text follows from the proven events."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from eisbach.adapters.signing import verify_signature
from eisbach.cli.bundle_check import BundleWrong, Verified, check_bundle
from eisbach.core.log.deletion import NotDeleted, certificate_text
from eisbach.core.log.head import MalformedHead, WrongSignature, open_text


class CertificateWrong(Exception):
    """The certificate does not prove what it says; the message names what does not fit."""


@dataclass(frozen=True, slots=True)
class Certified:
    """What a certificate proves: its text, and the log behind it."""

    text: str
    verified: Verified


def check_certificate(lines: Callable[[], Iterable[bytes]], key: str | None) -> Certified:
    """Return what a certificate proves; raise CertificateWrong."""
    try:
        verified = check_bundle(lines(), key)
        document = json.loads(b"".join(lines()))
        text = open_text(document["certificate"], verified.key, verify_signature)
        events = [json.loads(b64decode(leaf["data"])) for leaf in document["leaves"]]
        if text != certificate_text(verified.head.origin, events):
            raise CertificateWrong("the text says something else than the events of the log")
    except (BundleWrong, MalformedHead, WrongSignature, NotDeleted) as error:
        raise CertificateWrong(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise CertificateWrong(f"this is no certificate of deletion ({type(error).__name__}: {error})") from error
    return Certified(text, verified)
