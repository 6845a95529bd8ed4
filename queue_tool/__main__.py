"""`python -m queue_tool` does the same as `queue-tool`."""

from queue_tool.cli import main

if __name__ == "__main__":
    main()
