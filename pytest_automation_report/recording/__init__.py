"""Turn pytest's reports of one attempt, and the annotations of the test, into one result of the API.

- Read `recorder` first. It makes the record of an attempt, with `phases` and `comparison` unless the test passed and
  has nothing to report.
- Annotations come in by `functions` and `hooks`, and `options` turns them into fields and artifacts. `collector` keeps
  the annotations of the running test. `user_code` calls users' hooks, and takes their files.

Runs in each process that runs tests, and in the sender: it creates results that no test process could write.
"""
