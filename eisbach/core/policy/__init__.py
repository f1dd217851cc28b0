"""Placement rules: what organisations, projects, data sets and jobs demand of places, and which places are left."""
