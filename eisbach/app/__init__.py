"""The application: one module for each thing the system does, over the ports."""
