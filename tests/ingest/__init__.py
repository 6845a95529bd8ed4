"""Tests of `queue_tool.ingest` and `queue_tool.amqp`, with a real RabbitMQ."""
