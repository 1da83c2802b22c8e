"""Figures to reach, and their tables: what the benchmarks have in common."""
