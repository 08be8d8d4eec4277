"""What the two ends of the fork server say to each other.

The server has one socket:

- A request is one packet with three file descriptors: a file of JSON that names the work, the file for its output, and
  a socket of its own, the line.
- Over the line the server sends that the child has begun, then its exit code. Where the line ends without a code,
  server and child are both gone.
- The caller shuts its end of the line to have the child killed. The server is killed when it is not needed any more;
  the kernel kills its children with it, and it with the caller.
"""

BEGUN = b"begun"
PACKET = 64
"""Bytes of the longest packet."""
