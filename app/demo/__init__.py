"""
The simulated upstream: a process that answers like an OpenAI-compatible server.

It lets a fresh install be tried without an account and without cost. No model runs here:
the same request always gets the same words. It names itself in every answer (`model` is
`demo/<asked model>`, models are owned by `poolgate-demo`) and keeps nothing.

    POOLGATE_DEMO_KEY=… python -m app.demo --port 0 --until-stdin-closes
    {"port": 40123}

Speaks `POST /v1/chat/completions`, `POST /v1/responses` (streamed or whole) and
`GET /v1/models`, on 127.0.0.1 only, to callers that send the key as a bearer token.
What it does depends on what is asked; the first line that fits decides:

    "please refuse" in the last user text   a refusal
    functions, and no result of one yet     calls: those named in the last user text, else
                                            the first (or the one that `tool_choice`
                                            forces), with arguments made from the schema
    a JSON format                           JSON made from its schema
    the result of a function                a sentence that quotes it
    anything else                           a sentence that quotes the user

and beside that:

    a reasoning effort other than "none"    thinks first: a reasoning item with a summary on
                                            Responses; in the usage alone on chat
    a token limit below the answer's size   stops there: `incomplete`, or `length`
    "slow" in the last user text            pauses between deltas
    `n`, `stop`                             honoured on chat

One output token is one delta. Input is billed at four bytes of text to the token.
This package imports nothing else of ours.
"""
