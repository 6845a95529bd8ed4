"""The worker door: where tickets are taken from RQ and worked on."""
