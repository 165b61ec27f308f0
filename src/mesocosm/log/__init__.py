"""The log: one chained ``events.jsonl`` per replicate, which is the source of truth of a run.

Layer rule: imports `errors` and `env.events` only; everything that touches the disk for a log is in here.
`canonical` defines the bytes, `files` the disk, `shards` the Parquet tables of level ``columns``, `write`, `read`,
`integrity` (recover, verify) and `compare` (the first difference) are what the runner uses.
"""
