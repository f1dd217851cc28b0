"""The pure core: decisions and values; no clock, no chance, no input or output."""
