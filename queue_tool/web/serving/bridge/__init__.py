"""The bridge between granian's event loop and the WSGI application.

The event loop reads bodies and sends responses, so a slow client occupies no thread. Threads only run the application.
"""
