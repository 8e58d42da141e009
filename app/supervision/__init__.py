"""
The process that `poolgate up` becomes: it starts the processes of a gateway, watches and stops them.

It runs as long as the gateway and needs little memory: it imports nothing that only commands, requests or the
store use. `poolgate up` prepares the store before it becomes this process.
"""
