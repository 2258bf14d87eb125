"""Serve configs: made of a base and a small overlay for each region, and checked more strictly than Serve does."""
