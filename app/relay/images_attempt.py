"""
An attempt at images by an account without the Images API: a model calls the image tool.

The tool produces one image per request, so several images take several requests to the account, one after
the other. The caller receives what the Images API would send: one object, or a stream of its events.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import orjson

from app.accounts.kinds import kind_of
from app.accounts.kinds.kind import ImageTool
from app.limits.token_estimates import max_bytes_for
from app.relay.adaptation import adapted_request
from app.relay.attempt import AttemptInputs, EventBatches, ResponseHead
from app.relay.content_types import EVENTS
from app.relay.context import JsonObject
from app.relay.model_attempt import ModelAttempt
from app.streaming.frames import responses_frames
from app.streaming.usage import Usage, total_usage
from app.translation.events.responses_to_images import ResponsesToImages, images_response
from app.translation.requests.images_to_responses import image_count, images_to_responses, is_streamed
from app.translation.requests.upstream_request import UpstreamRequest, upstream_body
from app.yielding import give_way

EDITS = "images/edits"
IMAGE_TOKENS = 4160  # estimate of one image of high quality whose usage is not reported


class ImageCall:
    """One request for one image, with the translator of its events."""

    def __init__(self, attempt: ModelAttempt, translator: ResponsesToImages) -> None:
        self.attempt = attempt
        self.translator = translator

    @property
    def unreported_images(self) -> int:
        """The number of images whose tokens the upstream did not report."""
        tool = self.translator.tool_usage
        return 0 if tool is not None and tool.output_tokens else len(self.translator.images)

    @property
    def usage(self) -> Usage | None:
        """What the model and the tool used, as far as that was reported."""
        own, tool = self.attempt.reader.reported_usage, self.translator.tool_usage
        return own if own is None or tool is None else total_usage((own, tool))

    @property
    def reported_usage(self) -> Usage | None:
        return None if self.unreported_images else self.usage


class ImagesReader:
    """What all calls of one attempt have observed together."""

    def __init__(self) -> None:
        self.calls: list[ImageCall] = []
        self.has_calls = True
        self.is_complete = False

    @property
    def usage(self) -> Usage | None:
        return total_usage(usage for call in self.calls if (usage := call.usage) is not None)

    @property
    def reported_usage(self) -> Usage | None:
        """The usage of all calls, None if any of the calls did not report it."""
        if any(call.reported_usage is None for call in self.calls):
            return None
        return self.usage

    @property
    def finish(self) -> str | None:
        return "completed" if self.is_complete else None

    @property
    def service_tier(self) -> str | None:
        return self.calls[-1].attempt.reader.service_tier if self.calls else None

    @property
    def deltas(self) -> int:
        deltas: int = sum(call.attempt.reader.deltas for call in self.calls)
        return deltas

    @property
    def output_bytes(self) -> int:
        """The bytes of text, plus for each finished image those of a text with as many tokens."""
        images = sum(len(call.translator.images) for call in self.calls)
        text: int = sum(call.attempt.reader.output_bytes for call in self.calls)
        return text + images * max_bytes_for(IMAGE_TOKENS)

    def can_end(self) -> bool:
        return self.is_complete


class ImagesAttempt:
    """Produces the images of one request at one account."""

    was_cut = False

    def __init__(self, inputs: AttemptInputs, tool: ImageTool) -> None:
        context = inputs.context
        fields, client_protocol = context.request.body, context.request.client_protocol
        self.inputs = inputs
        self.context = context
        self.account = inputs.account
        self.request = _tool_request(inputs, tool)
        self.response = ResponseHead()
        self.raw_events: list[JsonObject] = []
        self.reader = ImagesReader()
        self.committed = False
        self._fields = fields
        self._count = image_count(fields) or 1
        self._streams = is_streamed(fields)
        self._name = "image_edit" if client_protocol == EDITS else "image_generation"
        self._deadlines = inputs.deadlines

    @property
    def stalled(self) -> bool:
        return self._deadlines.stalled

    def exceeds(self, tokens: int) -> bool:
        return False

    def events(self) -> EventBatches:
        """Yield pieces of the response; a failure before the first has no effect, so failover is possible."""
        images: list[JsonObject] = []
        while len(images) < self._count:
            call = self._begin_call()
            yield from self._receive(call)
            produced = call.translator.images[: self._count - len(images)]
            images += produced
            if self._streams:
                yield from self._send(
                    [call.translator.completed_event(image, call.reported_usage) for image in produced]
                )
        self.reader.is_complete = True
        if not self._streams:
            created_at = self.reader.calls[-1].translator.created_at
            body = images_response(images, self.reader.reported_usage, created_at)
            self._set_content_type("application/json")
            yield [orjson.dumps(body)]

    def _begin_call(self) -> ImageCall:
        """Return the request for the next image, which has its own time limits."""
        if self.reader.calls:
            self._deadlines = self._deadlines.restarted()
        context = self.context
        request = replace(
            context.request, client_protocol="responses", body=self.request.body, raw_body=(), files=()
        )
        options = replace(context.options, stream=self._streams)
        inputs = replace(
            self.inputs,
            context=replace(context, request=request, options=options),
            deadlines=self._deadlines,
        )
        translator = ResponsesToImages(self._fields, self._name, int(context.caller.key.now))
        call = ImageCall(ModelAttempt(inputs, self.request), translator)
        self.reader.calls.append(call)
        return call

    def _receive(self, call: ImageCall) -> EventBatches:
        """Yield the partial images of *call*, and None when a keep-alive is due."""
        self.response = call.attempt.response
        with closing(call.attempt.events()) as arriving:
            for events in arriving:
                partial = call.translator.translate(events) if events else []
                if partial and self._streams:
                    yield from self._send(partial)
                elif not events:
                    yield None

    def _send(self, events: list[Any]) -> Iterator[list[Any]]:
        self._set_content_type(EVENTS)
        self.committed = True
        yield [responses_frames(events)]

    def _set_content_type(self, content_type: str) -> None:
        """Set the Content-Type that the caller receives; the other headers are the upstream's."""
        headers = {name.lower(): value for name, value in self.response.headers.items()}
        self.response = ResponseHead(self.response.status, {**headers, "Content-Type": content_type})


def _tool_request(inputs: AttemptInputs, tool: ImageTool) -> UpstreamRequest:
    """Return the request for one image, without what the account is known to refuse."""
    context, account = inputs.context, inputs.account
    client = context.request
    made = images_to_responses(
        client.body,
        client.files,
        tool.main_model(account.listed),
        is_edit=client.client_protocol == EDITS,
    )
    give_way(client.body_bytes)
    request = upstream_body("responses", made.body, kind_of(account).dialect, account.protocols)
    request = request._replace(ignored=[*made.ignored, *request.ignored])
    return adapted_request(request, context, account, lacks_foreign_state=inputs.lacks_foreign_state)
