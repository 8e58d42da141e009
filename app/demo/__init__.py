"""
The simulated upstream: a process that answers like an OpenAI-compatible server.

It serves to try a fresh installation without an account and without cost. There is no model:
the same request always gets the same response. Every response identifies it (`model` is
`demo/<requested model>`, models are owned by `poolgate-demo`), and it stores nothing.

    POOLGATE_DEMO_KEY=… python -m app.demo --port 0 --until-stdin-closes
    {"port": 40123}

It serves `POST /v1/chat/completions`, `POST /v1/responses` (streamed or not) and
`GET /v1/models`, on 127.0.0.1 only, to clients that send the key as a bearer token.
The first matching line determines the response:

    "please refuse" in the last user text   a refusal
    functions, and no result of one yet     calls: those named in the last user text, else
                                            the first (or the one that `tool_choice`
                                            forces), with arguments made from the schema
    a JSON format                           JSON made from its schema
    the result of a function                a sentence that quotes it
    anything else                           a sentence that quotes the user

and independently of that:

    a reasoning effort other than "none"    reasons first: a reasoning item with a summary on
                                            Responses; only in the usage on chat
    a token limit below the response's size   truncates the response: `incomplete`, or `length`
    "slow" in the last user text            pauses between deltas
    `n`, `stop`                             honoured on chat

One output token is one delta. Input counts one token for four bytes of text.
This package imports no other package of the project.
"""
