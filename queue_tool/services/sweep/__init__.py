"""The sweep: what went wrong between the store and Redis, and what comes with time, put right again and again."""
