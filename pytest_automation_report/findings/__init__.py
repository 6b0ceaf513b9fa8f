"""Findings about a run: changes since an earlier one, reasons of failures, flaky tests, changes of duration.

Runs in the server; the words of a verdict wherever it is said. Its functions take and return plain values, and it
imports only `text`.
"""
