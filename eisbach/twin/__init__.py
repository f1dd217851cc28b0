"""The twin: the same application on a virtual clock, with simulated nodes, fed by traces and imagined customers."""
