"""Runs an answer in its sandbox.

Knows nothing of tests, torch or scores, and imports nothing of the project.
"""
