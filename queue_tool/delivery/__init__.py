"""Requests to the receivers of webhooks: bounded in time and size, and only to addresses that were checked.

    answer = Sender(allow=()).send("https://hooks.example/in", {"webhook-id": "…"}, b"{}")

HTTP/1.1 is read by h11, which does no input and output of its own. So this package opens the connection to the very
address that it checked, and one deadline is over all steps. A client library looks up the name itself, or counts its
time limits from one read to the next.
"""
