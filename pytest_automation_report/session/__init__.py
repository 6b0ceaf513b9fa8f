"""Pytest's hooks: start a session, record its tests, wait for the sender, show the summary.

- Leading process: `plugin_hooks` is the first to read. It uses `setup` (settings), `running` (start, records, wait for
  the sender) with `run` (the run and its folder), and `terminal` (summary).
- Each process that runs tests: `runtest_hooks` with `annotation_hooks` and `collection`.
- pytest-xdist: `xdist_hooks` in the controller, `worker_hooks` in the workers.
- Separate: `rerun_failed` selects tests, with and without reporting.

Runs in pytest, in the leading process and in each xdist worker. Imports every folder but `cli` and `server`.
"""
