"""Findings about a run: changes since an earlier one, reasons of failures, flaky tests, changes of duration.

Runs in the server; the words of a verdict wherever it is said. It takes and returns plain values; imports only `text`.
"""
