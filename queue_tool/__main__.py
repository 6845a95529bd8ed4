"""`python -m queue_tool` is `queue-tool`."""

from queue_tool.cli import main

if __name__ == "__main__":
    main()
