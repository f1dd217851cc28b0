"""Which job goes where, in which order; never reads money."""
