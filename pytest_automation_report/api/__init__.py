"""The automation runs REST API: values, limits, responses and client.

Runs in every process as far as values go; `client`, `http` and `responses` run in the sender and the console command
alone, since they load requests.
"""
