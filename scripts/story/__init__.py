"""The stories that `make demo` and `make demo-train` play: their steps, what they check, and the observer who stands outside the factory."""
