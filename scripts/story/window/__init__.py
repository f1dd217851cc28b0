"""The story that `make demo` plays: a plant operator without contract and without GPU, from the sign-up to the exit."""
