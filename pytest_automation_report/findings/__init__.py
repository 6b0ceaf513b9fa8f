"""Findings about a run: changes since an earlier one, reasons of failures, flaky tests, changes of duration.

Runs in the server; its sentences wherever they are said. It takes and returns plain values.
"""
