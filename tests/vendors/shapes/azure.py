"""Azure OpenAI (T, R): frames without a choice, frames without a delta, also after the finish."""

from dataclasses import replace

from tests.vendors.shapes import openai
from tests.vendors.vendor import REFUSED, Failure, Frame, Refusal, Vendor, VendorResponse, chunk

SAFE = {"hate": {"filtered": False, "severity": "safe"}}
PROMPT: Frame = {
    "id": "",
    "object": "",
    "created": 0,
    "model": "",
    "choices": [],
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
}
FILTERED = {
    "id": "",
    "object": "",
    "created": 0,
    "model": "",
    "choices": [
        {
            "index": 0,
            "finish_reason": None,
            "content_filter_results": SAFE,
            "content_filter_offsets": {"check_offset": 44, "start_offset": 44, "end_offset": 198},
        }
    ],
}


def filtered(response: VendorResponse) -> VendorResponse:
    """Return *response* with the frames and fields that the content filter adds."""
    *frames, usage, done = response.stream
    body = {
        **response.complete,
        "choices": [{**response.complete["choices"][0], "content_filter_results": SAFE}],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
    }
    return replace(
        response, stream=[PROMPT, *frames[:2], FILTERED, *frames[2:], FILTERED, usage, done], complete=body
    )


VENDOR = Vendor(
    name="azure",
    text=filtered(openai.VENDOR.text),
    tools=filtered(openai.VENDOR.tools),
    reasoning=filtered(openai.VENDOR.reasoning),
    refusal=Refusal(
        {
            "error": {
                "message": REFUSED,
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": SAFE},
            }
        }
    ),
    # a filtered answer: cut after some text (K)
    failure=Failure(
        [PROMPT, openai.FIRST, *openai.PROSE, chunk({}, "content_filter", usage=None), *openai.END],
        {
            **openai.VENDOR.text.complete,
            "choices": [{**openai.VENDOR.text.complete["choices"][0], "finish_reason": "content_filter"}],
        },
        words="",
    ),
)
