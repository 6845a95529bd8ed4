"""A worker that waits for seconds only. It is a package, so that no process of the pool imports it again."""
