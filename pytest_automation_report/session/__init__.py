"""Pytest's hooks: start a session, record its tests, wait for the sender, show the summary.

- Leading process: `plugin_hooks` is the first to read. It uses `setup` (settings), `run` (the run and its folder), and
  `end` (wait for the sender, summary).
- Each process that runs tests: `runtest_hooks` with `collection`.
- pytest-xdist: `xdist`, in the controller and in the workers.
- Chosen tests: `selection` runs failed tests again and excuses known failures, `history` cuts shards and orders tests.
- Apart: `console` runs code of the console command in a process of its own.

Runs in pytest, in the leading process and in each xdist worker.
"""
