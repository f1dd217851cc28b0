"""The event log: sealed events, their Merkle tree (RFC 9162), signed heads (C2SP) and audit bundles."""
