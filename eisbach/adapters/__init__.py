"""Third-party parts and the operating system behind the ports."""
