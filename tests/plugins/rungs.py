"""Rungs of tests: a test's folder is its marker."""
