"""The check of Dockerfile and compose.yaml, without a container engine: `make containers`.

The image is built by the commands of the Dockerfile. Then each service of compose.yaml runs in a sandbox as the file
says: its command, environment, volumes and health check, not as root, on a read-only file system. bubblewrap makes the
sandboxes. The servers are those of this machine, prepared as the official images do it.
"""
