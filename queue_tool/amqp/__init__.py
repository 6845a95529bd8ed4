"""RabbitMQ: connections whose calls can be awaited. Only this folder imports pika.

pika reports everything by callbacks in the event loop. Here each call returns a future, and everything that ends a
connection, a channel or a consumer sets one future, `lost`: whoever consumes must notice it.
"""
