"""The HTTP server: gunicorn's settings and worker, WSGI dispatch, sockets, capacity."""
