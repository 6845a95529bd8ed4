"""`python -m queue_tool` does the same as `queue-tool`."""

if __name__ == "__main__":  # children of multiprocessing import this module under another name
    from queue_tool.cli import main

    main()
