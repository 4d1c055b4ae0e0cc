"""AIMusicGeneratorBlock: music from words, by MusicGen at Replicate."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.replicate.service import MINE, key_pin, lent_costs, predicted, text_of
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins

_MODEL: Final = "meta/musicgen"


class AIMusicGeneratorBlock(Block):
    """Makes music as words describe it, with MusicGen at Replicate."""

    id = "44f6c8ad-d75c-4ae1-8209-aad1c0326928"
    categories = (Category.AI,)
    effect = Effect.KEYED
    retries = 2
    costs = lent_costs(11)
    examples = (
        Example(
            inputs={"prompt": "A calm piano in the rain", "credentials": MINE},
            outputs=[("result", "https://example.com/music.wav")],
        ),
        Example(
            inputs={"prompt": "x", "duration": 0, "credentials": MINE},
            error="duration must be at least 1",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = key_pin()
        prompt: str = pin(
            description="What is to be heard.", placeholder="A calm piano in the rain"
        )
        music_gen_model_version: str = pin(
            default="stereo-large",
            title="Model Version",
            description="Which of its models.",
            schema={"enum": ["stereo-large", "melody-large", "large"], "type": "string"},
        )
        duration: int = pin(default=8, title="Duration", description="Seconds.")
        temperature: float = pin(
            default=1.0, title="Temperature", description="How freely it plays."
        )
        top_k: int = pin(
            default=250, title="Top K", description="Among how many sounds each is chosen."
        )
        top_p: float = pin(
            default=0.0,
            title="Top P",
            description="How likely those are together; 0: top_k counts.",
        )
        classifier_free_guidance: int = pin(
            default=3,
            title="Classifier Free Guidance",
            description="How close it keeps to the words.",
        )
        output_format: str = pin(
            default="wav",
            title="Output Format",
            description="The kind of file.",
            schema={"enum": ["wav", "mp3"], "type": "string"},
        )
        normalization_strategy: str = pin(
            default="loudness",
            title="Normalization Strategy",
            description="What makes it as loud as others.",
            schema={"enum": ["loudness", "clip", "peak", "rms"], "type": "string"},
        )

    @pins
    class Output:
        """Output pins."""

        result: str = pin(description="The address of the music; it goes after an hour.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the address of the music."""
        if inputs.duration < 1:
            raise ValueError("duration must be at least 1 second")
        asked = {
            "prompt": inputs.prompt,
            "model_version": inputs.music_gen_model_version,
            "duration": inputs.duration,
            "temperature": inputs.temperature,
            "top_k": inputs.top_k,
            "top_p": inputs.top_p,
            "classifier_free_guidance": inputs.classifier_free_guidance,
            "output_format": inputs.output_format,
            "normalization_strategy": inputs.normalization_strategy,
        }
        yield "result", text_of(await predicted(context, inputs.credentials, _MODEL, asked))
