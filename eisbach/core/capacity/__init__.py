"""What there is to be had, where, and how much of it is free."""
