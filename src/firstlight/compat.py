"""Private names of other packages that we depend on: each guarded, each with a canary test."""
