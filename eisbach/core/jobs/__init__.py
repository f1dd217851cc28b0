"""Jobs: what a tenant asks for and the life that it leads."""
