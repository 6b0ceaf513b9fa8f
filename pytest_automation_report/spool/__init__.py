"""The queue on disk between pytest and the sender: records, manifest, ledger, copies of artifacts.

Runs in pytest, which writes, and in the sender and the console command, which read.
"""
