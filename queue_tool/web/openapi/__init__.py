"""The OpenAPI document, made from the declared operations and the task types."""
