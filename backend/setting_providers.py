"""Settings of the providers of models and of accounts. Part of settings.py, apart for its size."""

from pydantic import BaseModel, Field, SecretStr


class ModelSettings(BaseModel):
    """Keys with which models are asked where a node names no credentials; empty: none."""

    openai_api_key: SecretStr = Field(SecretStr(""), description="This server's key to OpenAI.")
    anthropic_api_key: SecretStr = Field(
        SecretStr(""), description="This server's key to Anthropic."
    )
    groq_api_key: SecretStr = Field(SecretStr(""), description="This server's key to Groq.")
    open_router_api_key: SecretStr = Field(
        SecretStr(""), description="This server's key to OpenRouter."
    )
    llama_api_key: SecretStr = Field(SecretStr(""), description="This server's key to Llama API.")
    aiml_api_key: SecretStr = Field(SecretStr(""), description="This server's key to AI/ML API.")
    v0_api_key: SecretStr = Field(SecretStr(""), description="This server's key to v0.")
    nvidia_api_key: SecretStr = Field(SecretStr(""), description="This server's key to NVIDIA.")
    models_file: str = Field(
        "", description="A JSON file with more models and providers, or others instead of ours."
    )


class ProviderSettings(ModelSettings):
    """This installation as a client of each provider; both or neither."""

    airtable_client_id: str = Field("", description="This server's name at Airtable.")
    airtable_client_secret: SecretStr = Field(
        SecretStr(""), description="This server's secret at Airtable."
    )
    discord_client_id: str = Field("", description="This server's name at Discord.")
    discord_client_secret: SecretStr = Field(
        SecretStr(""), description="This server's secret at Discord."
    )
    github_client_id: str = Field("", description="This server's name at GitHub.")
    github_client_secret: SecretStr = Field(
        SecretStr(""), description="This server's secret at GitHub."
    )
    google_client_id: str = Field("", description="This server's name at Google.")
    google_client_secret: SecretStr = Field(
        SecretStr(""), description="This server's secret at Google."
    )
    linear_client_id: str = Field("", description="This server's name at Linear.")
    linear_client_secret: SecretStr = Field(
        SecretStr(""), description="This server's secret at Linear."
    )
    notion_client_id: str = Field("", description="This server's name at Notion.")
    notion_client_secret: SecretStr = Field(
        SecretStr(""), description="This server's secret at Notion."
    )
    reddit_client_id: str = Field("", description="This server's name at Reddit.")
    reddit_client_secret: SecretStr = Field(
        SecretStr(""), description="This server's secret at Reddit."
    )
    todoist_client_id: str = Field("", description="This server's name at Todoist.")
    todoist_client_secret: SecretStr = Field(
        SecretStr(""), description="This server's secret at Todoist."
    )
    twitter_client_id: str = Field("", description="This server's name at X, once Twitter.")
    twitter_client_secret: SecretStr = Field(
        SecretStr(""), description="This server's secret at X, once Twitter."
    )
    wordpress_client_id: str = Field("", description="This server's name at WordPress.")
    wordpress_client_secret: SecretStr = Field(
        SecretStr(""), description="This server's secret at WordPress."
    )
