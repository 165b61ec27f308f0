"""Comparing runs: tables, statistics, pictures.

It reads run directories and writes tables and pictures; it never runs or changes the economy by itself except through
the runner. Heavy libraries are imported inside the functions that need them.
"""
