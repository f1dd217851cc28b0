"""The story that `make demo` plays: its steps, what they check, and the observer who stands outside the factory."""
