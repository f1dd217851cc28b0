"""Tables about energy, water and heat: rows of app/rows_energy.py."""
