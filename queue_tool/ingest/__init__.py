"""`queue-tool consume`: takes work from RabbitMQ."""
