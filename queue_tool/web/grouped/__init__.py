"""Small requests that are handled together: one thread takes all that wait, and one transaction keeps them.

Each request could also be handled alone by its route, with the same response. What is unusual about a request, and what
is refused, is always left to the route.
"""
