"""Code that all routes share: access, request bodies, query parameters, responses and errors."""
