"""Deliver a spooled session: choose the next request, handle its response, retry, reconcile.

The way of a result from the spool to a request: `dispatcher` reads and sends, `queues` turns records into results and
batches, `scheduler` chooses the next request, `requests` holds one and decides about the next try.

Runs in the sender process, which `launch` starts from pytest, and in `automation-report send`.
"""
