"""
Accounts of Azure OpenAI, by its v1 API. Models are named by their deployments.

Source: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
"""

from __future__ import annotations

from dataclasses import replace

from app.accounts.kinds import openai
from app.accounts.kinds.kind import Setup

KIND = replace(
    openai.KIND,
    name="azure",
    setup=Setup(
        title="Azure OpenAI",
        summary="Add an API key of an Azure OpenAI resource.",
        example="poolgate account add azure --name eu --api-key-env AZURE_OPENAI_API_KEY "
        "--base-url https://NAME.openai.azure.com/openai/v1",
    ),
    providers=("azure",),
    credential_headers=lambda credential: {"api-key": credential},
    models_without_reasoning=(),  # a deployment may have any name
    lists_what_it_serves=False,  # it lists base models, and requests name deployments
    base_url_ending="/openai/v1",
)
