"""
The process that `poolgate up` becomes: it starts the processes of a gateway, watches and stops them.

It runs as long as the gateway and does next to nothing, so it imports little: none of what commands,
requests or the store use. `poolgate up` prepares the store, and hands over the rest.
"""
