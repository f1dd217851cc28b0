"""Double entry: balances only follow from transfers."""
